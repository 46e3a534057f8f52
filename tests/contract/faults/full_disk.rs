//! A child whose disk is full, and descriptors of a disk, or of what is like one, where a pipe is wanted.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus, Stdio};

use futures_util::future::join;
use tacket::{AsyncResource as _, Error as _, Fault, SendStream as _};
use tacket_std::{Child, IoError, PipeReceiveStream, PipeSendStream};

use super::conversation::assert_broken;
use super::{receive_all, run, shell};

/// What became of a child that could not put away what it was sent.
struct Outcome {
    /// How much of that nobody took.
    unsent: usize,
    said: String,
    complaint: String,
    status: ExitStatus,
}

/// Sends much to a child, which fails, as it does from then on.
async fn feed(mut child: Child) -> Outcome {
    const MUCH: usize = 8 << 20;
    let data = vec![b'x'; MUCH];
    let mut rest = &data[..];
    let mut stdin = child.stdin.take().expect("it is piped");
    let said = receive_all(child.stdout.take().expect("it is piped"));
    let complaint = receive_all(child.stderr.take().expect("it is piped"));
    let sending = async {
        let error = stdin.send_rest(&mut rest).await.expect_err("no room");
        assert_broken(&error, &[ErrorKind::BrokenPipe]);
        for data in [&b"x"[..], b""] {
            let again = stdin.send_all(data).await.expect_err("it stays so");
            assert_broken(&again, &[ErrorKind::BrokenPipe]);
        }
        stdin.close().await.expect("nothing to tell");
    };
    let ((), (said, complaint)) = join(sending, join(said, complaint)).await;
    assert!(rest.len() < MUCH, "it took nothing");
    Outcome {
        unsent: rest.len(),
        said,
        complaint,
        status: child.wait().await.expect("it ends"),
    }
}

/// A device on which nothing has room.
#[cfg(target_os = "linux")]
#[test]
fn a_child_whose_disk_is_full_breaks_the_stream_to_it_and_says_why() {
    run(async {
        let ended = feed(shell("exec cat > /dev/full")).await;
        assert!(
            ended.complaint.contains("No space left"),
            "{}",
            ended.complaint
        );
        assert_eq!((ended.status.code(), &*ended.said), (Some(1), ""));
        assert!(ended.unsent > 0);
    });
}

/// A disk in memory, of 64 KiB, that only the child sees.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_becomes_full_keeps_what_was_sent_before() {
    let mounting = "mount -t tmpfs -o size=64k tmpfs \"$1\"";
    let folder = tempfile::tempdir().expect("a folder");
    let unshare = |script: &str| {
        let mut unshare = Command::new("unshare");
        unshare
            .args(["--mount", "sh", "-c", script, "sh"])
            .env("LC_ALL", "C");
        unshare.arg(folder.path());
        unshare
    };
    match unshare(mounting).output() {
        Ok(tried) if tried.status.success() => {}
        Ok(tried) => return eprintln!("this was not tried: {tried:?}"),
        Err(error) => return eprintln!("this was not tried, for there is no unshare: {error}"),
    }
    run(async {
        // The shell has the pipe too, so it lets go of it.
        let script = format!(
            "{mounting}; cat > \"$1/file\"; code=$?; exec <&-; wc -c < \"$1/file\"; exit $code"
        );
        let mut unshare = unshare(&script);
        unshare.stdin(Stdio::piped()).stdout(Stdio::piped());
        let child = Child::spawn(unshare.stderr(Stdio::piped())).expect("a child");
        let ended = feed(child).await;
        assert!(
            ended.complaint.contains("No space left"),
            "{}",
            ended.complaint
        );
        assert_eq!(ended.status.code(), Some(1));
        assert_eq!(ended.said.trim(), "65536");
    });
}

/// A file that may not grow any longer: the system kills who makes it, or refuses.
#[test]
fn a_child_whose_file_has_its_limit_is_killed_or_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    let path = path.to_str().expect("text");
    run(async {
        let killed = feed(shell(&format!("ulimit -f 8; exec cat > '{path}'"))).await;
        assert_eq!(killed.status.code(), None);
        assert_eq!(killed.status.signal(), Some(25)); // SIGXFSZ
        assert_eq!(killed.complaint, "");
        let ended = feed(shell(&format!(
            "trap '' XFSZ; ulimit -f 8; exec cat > '{path}'"
        )))
        .await;
        assert_eq!(ended.status.code(), Some(1));
        assert!(
            ended.complaint.contains("File too large"),
            "{}",
            ended.complaint
        );
    });
}

/// What the child writes itself goes there: that is its own affair, and the streams that it does have tell of it.
#[cfg(target_os = "linux")]
#[test]
fn a_child_that_writes_to_a_full_disk_itself_is_read_and_waited_for() {
    run(async {
        let full = File::options()
            .write(true)
            .open("/dev/full")
            .expect("a device");
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "exec cat /proc/self/maps"])
            .env("LC_ALL", "C");
        shell
            .stdin(Stdio::piped())
            .stdout(full)
            .stderr(Stdio::piped());
        let child = Child::spawn(&mut shell).expect("a child");
        assert!(child.stdout.is_none());
        let output = child.wait_with_output().await.expect("it ends");
        assert_eq!(output.status.code(), Some(1));
        let complaint = String::from_utf8(output.stderr).expect("text");
        assert!(complaint.contains("No space left"), "{complaint}");
    });
}

#[track_caller]
fn assert_no_pipe<T>(adopted: Result<T, IoError>) {
    let error = adopted.err().expect("it is no pipe");
    assert_eq!(error.fault(), Fault::Unsupported);
    let said = error.to_string();
    assert!(
        said.contains("neither a pipe nor a stream socket"),
        "{said}"
    );
}

/// The system's poll would refuse most of them, or call them always ready.
#[test]
fn what_is_no_pipe_is_refused_at_once_and_left_as_it_was() {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(b"kept").expect("room");
    let mut others: Vec<File> = vec![File::open("/").expect("a folder")];
    for device in ["/dev/null", "/dev/zero", "/dev/full", "/dev/ptmx"] {
        if let Ok(device) = File::options().read(true).write(true).open(device) {
            others.push(device);
        }
    }
    assert!(others.len() >= 3);
    others.push(file.try_clone().expect("a descriptor"));
    for other in others {
        assert_no_pipe(PipeSendStream::new(
            other.try_clone().expect("a descriptor"),
        ));
        assert_no_pipe(PipeReceiveStream::new(other));
    }
    let port = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    assert_no_pipe(PipeSendStream::new(OwnedFd::from(port)));

    let mut kept = String::new();
    file.rewind().expect("its start");
    file.read_to_string(&mut kept).expect("text");
    assert_eq!(kept, "kept");
}

/// Standard input and output of this program, where they are of a disk.
#[test]
fn standard_streams_that_are_files_are_refused() {
    const NAME: &str = "faults::full_disk::standard_streams_that_are_files_are_refused";
    if std::env::var_os("TACKET_ON_FILES").is_some() {
        assert_no_pipe(PipeReceiveStream::from_stdin());
        assert_no_pipe(PipeSendStream::from_stdout());
        return eprintln!("both are refused");
    }
    let mut alone = Command::new(std::env::current_exe().expect("a test"));
    alone.args(["--exact", NAME, "--nocapture"]);
    alone.env("TACKET_ON_FILES", "1");
    alone.stdin(tempfile::tempfile().expect("a file"));
    alone.stdout(tempfile::tempfile().expect("a file"));
    let ended = alone.output().expect("it starts");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(
        ended.status.success() && said.contains("both are refused"),
        "{ended:?}"
    );
}
