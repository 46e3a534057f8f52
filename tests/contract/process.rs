//! Children: what they read and write, how they end, and that nothing is left of them.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{join, join_all};
use tacket::testing::{DropPoint, Pattern};
use tacket::{AsyncResource as _, Error as _, Fault, ReceiveStream, SendStream as _, timeout};
use tacket_std::{Child, IoError, MonotonicClock, PipeReceiveStream};

#[cfg(target_os = "linux")]
use crate::alone::{assert_passed, run_alone};
use crate::limited::{run, sleep};

fn shell(script: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]);
    shell
}

/// A child that ends when its input does.
fn cat() -> Child {
    let mut cat = Command::new("cat");
    cat.stdin(Stdio::piped()).stdout(Stdio::piped());
    Child::spawn(&mut cat).expect("a child")
}

fn sleeper() -> Child {
    Child::spawn(Command::new("sleep").arg("1000")).expect("a child")
}

async fn receive_all(mut stream: impl ReceiveStream<Error = IoError>) -> Vec<u8> {
    let (mut all, mut buf) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        match stream.receive_some(&mut buf).await.expect("no failure") {
            0 => return all,
            count => all.extend_from_slice(&buf[..count]),
        }
    }
}

fn stdout(child: &mut Child) -> PipeReceiveStream {
    child.stdout.take().expect("it is piped")
}

/// Waits until the process is there no more, not even as a zombie.
#[cfg(target_os = "linux")]
async fn gone(id: u32) {
    while std::fs::exists(format!("/proc/{id}")).expect("a file system") {
        sleep(1).await;
    }
}

/// The state of a process in a letter: `Z` is a zombie.
#[cfg(target_os = "linux")]
fn state(id: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

#[test]
fn what_a_child_writes_arrives_up_to_the_end_and_its_code_is_known() {
    run(async {
        let mut shell = shell("printf out; printf complaint >&2; exit 7");
        let mut child =
            Child::spawn(shell.stdout(Stdio::piped()).stderr(Stdio::piped())).expect("a child");
        assert!(child.stdin.is_none());
        let stderr = child.stderr.take().expect("it is piped");
        let (out, complaint) = join(receive_all(stdout(&mut child)), receive_all(stderr)).await;
        assert_eq!((&*out, &*complaint), (&b"out"[..], &b"complaint"[..]));
        let status = child.wait().await.expect("it ends");
        assert_eq!(status.code(), Some(7));
    });
}

#[test]
fn megabytes_pass_through_a_child_both_ways_at_once() {
    run(async {
        let sent: Vec<u8> = {
            let mut bytes = vec![0; 8 << 20];
            Pattern::new(1).fill(&mut bytes);
            bytes
        };
        let mut child = cat();
        let (mut stdin, stdout) = (child.stdin.take().expect("piped"), stdout(&mut child));
        let sending = async {
            stdin.send_all(&sent).await.expect("it reads");
            stdin.close().await.expect("closes");
        };
        let ((), received) = join(sending, receive_all(stdout)).await;
        assert!(received == sent, "{} bytes came back", received.len());
        assert!(child.wait().await.expect("it ends").success());
    });
}

#[test]
fn a_child_can_be_waited_for_with_all_that_it_says() {
    run(async {
        // More than pipes hold, and one after the other.
        let mut shell =
            shell("cat; head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero; exit 4");
        shell.stdin(Stdio::piped()).stdout(Stdio::piped());
        let child = Child::spawn(shell.stderr(Stdio::piped())).expect("a child");
        let output = child.wait_with_output().await.expect("it ends");
        assert_eq!(output.status.code(), Some(4));
        for said in [output.stdout, output.stderr] {
            assert!(said == vec![0; 1_000_000], "{} bytes", said.len());
        }
        let mut taken = cat();
        drop(taken.stdout.take());
        let output = taken.wait_with_output().await.expect("it ends");
        assert!(output.status.success() && output.stdout.is_empty());
    });
}

#[test]
fn a_child_that_a_signal_ended_says_which() {
    run(async {
        let mut child = Child::spawn(&mut shell("kill -9 $$")).expect("a child");
        let status = child.wait().await.expect("it ends");
        assert_eq!((status.code(), status.signal()), (None, Some(9)));
    });
}

#[test]
fn a_killed_child_ends_and_can_be_killed_again() {
    run(async {
        let mut child = sleeper();
        assert_eq!(child.try_wait().expect("no failure"), None);
        child.kill().expect("it is ours");
        let status = child.wait().await.expect("it ends");
        assert_eq!(status.signal(), Some(9));
        assert_eq!(child.try_wait().expect("no failure"), Some(status));
        child.kill().expect("nothing happens");
        child.signal(15).expect("nothing happens");
    });
}

#[test]
fn a_child_can_be_asked_to_end() {
    run(async {
        let mut shell = shell("trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done");
        let mut child = Child::spawn(shell.stdout(Stdio::piped())).expect("a child");
        let mut stdout = stdout(&mut child);
        assert_eq!(stdout.receive_some(&mut [0; 16]).await.expect("a word"), 6);
        let refused = child.signal(9999).expect_err("there is none");
        assert_eq!(refused.fault(), Fault::InvalidInput);
        child.signal(15).expect("it is ours");
        let status = child.wait().await.expect("it ends");
        assert_eq!(status.code(), Some(3));
    });
}

#[test]
fn a_wait_can_be_dropped_at_every_poll_and_repeated() {
    let points = (1..4).flat_map(|polls| {
        let woken = DropPoint::when_woken_after_poll(polls);
        [DropPoint::after_poll(polls), woken]
    });
    run(async {
        for point in points {
            let mut child = cat();
            let stdin = child.stdin.take();
            let ending = async {
                sleep(2).await;
                drop(stdin);
            };
            join(point.cut(child.wait()), ending).await;
            let status = child.wait().await.expect("it ends");
            assert!(status.success(), "{point}: {status}");
            assert_eq!(child.wait().await.expect("it has ended"), status);
        }
    });
}

#[test]
fn a_wait_ends_the_input_that_nobody_has_taken() {
    run(async {
        let mut child = cat();
        assert!(child.wait().await.expect("it ends").success());
        assert!(child.stdin.is_none());
    });
}

#[test]
fn a_child_that_closes_its_input_breaks_the_stream_to_it() {
    run(async {
        let mut shell = shell("exec <&-; echo closed; exec sleep 1000");
        let mut child =
            Child::spawn(shell.stdin(Stdio::piped()).stdout(Stdio::piped())).expect("a child");
        let mut stdout = stdout(&mut child);
        assert_eq!(stdout.receive_some(&mut [0; 16]).await.expect("a word"), 7);
        let mut stdin = child.stdin.take().expect("it is piped");
        for _ in 0..2 {
            let error = stdin.send_all(b"hello").await.expect_err("nobody reads");
            assert_eq!(error.fault(), Fault::Broken);
        }
        stdin.close().await.expect("nothing to tell");
    });
}

#[test]
fn a_program_that_is_not_there_is_not_found_and_named() {
    let error = Child::spawn(&mut Command::new("/no/such/program")).expect_err("it is not there");
    assert_eq!(error.fault(), Fault::Other);
    let cause = error.io_error().expect("the system's word");
    assert_eq!(cause.kind(), std::io::ErrorKind::NotFound);
    assert!(error.to_string().contains("/no/such/program"), "{error}");
}

#[test]
fn to_wait_where_nobody_would_be_woken_is_refused() {
    let mut child = sleeper();
    let waited = child.wait().now_or_never().expect("it does not wait");
    let refused = waited.expect_err("no loop turns");
    assert_eq!(refused.fault(), Fault::Unsupported);
}

/// Whether its loop turns or not.
#[cfg(target_os = "linux")]
#[test]
fn a_dropped_child_is_killed_and_leaves_no_zombie() {
    run(async {
        let child = sleeper();
        let id = child.id();
        drop(child);
        gone(id).await;
    });
    let child = run(async { sleeper() });
    let id = child.id();
    drop(child);
    run(gone(id));
}

/// The end of its pipes could be taken for the end of what it was to read.
#[cfg(target_os = "linux")]
#[test]
fn a_dropped_child_is_killed_before_its_input_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    run(async {
        for number in 0..100 {
            let ended = folder.path().join(number.to_string());
            let script = format!("echo; read line || : > {}", ended.display());
            let mut shell = shell(&script);
            let mut child =
                Child::spawn(shell.stdin(Stdio::piped()).stdout(Stdio::piped())).expect("a child");
            let mut stdout = stdout(&mut child);
            assert_eq!(stdout.receive_some(&mut [0; 16]).await.expect("a word"), 1);
            sleep(1).await;
            let id = child.id();
            drop(child);
            gone(id).await;
            assert!(!ended.exists(), "child {number} saw an end");
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_dropped_wait_whose_child_is_dropped_too_leaves_no_zombie() {
    run(async {
        let mut child = sleeper();
        let id = child.id();
        let clock = MonotonicClock::new();
        let waited = timeout(&clock, Duration::from_millis(2), child.wait()).await;
        waited.expect_err("it sleeps");
        drop(child);
        gone(id).await;
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_child_that_ended_unseen_is_reaped_when_it_is_dropped() {
    run(async {
        let child = Child::spawn(&mut Command::new("true")).expect("a child");
        let id = child.id();
        while state(id) != Some('Z') {
            sleep(1).await;
        }
        drop(child);
        assert_eq!(state(id), None);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_child_that_is_left_running_goes_on_and_leaves_no_zombie_either() {
    run(async {
        let mut child = cat();
        let (mut stdin, mut stdout) = (child.stdin.take().expect("piped"), stdout(&mut child));
        let id = child.id();
        child.leave_running();
        for _ in 0..3 {
            sleep(5).await;
            stdin.send_all(b"meow").await.expect("it reads");
            let received = stdout.receive_some(&mut [0; 16]).await;
            assert_eq!(received.expect("it answers"), 4);
        }
        stdin.close().await.expect("closes");
        gone(id).await;
    });
}

/// How many entries a folder of this process has.
#[cfg(target_os = "linux")]
fn count(folder: &str) -> usize {
    let entries = std::fs::read_dir(format!("/proc/self/{folder}"));
    entries.expect("a list").count()
}

/// Those of this process that have not been reaped.
#[cfg(target_os = "linux")]
fn children() -> String {
    let threads = std::fs::read_dir("/proc/self/task").expect("a list");
    let children = threads.map(|thread| {
        let thread = thread.expect("an entry").path();
        std::fs::read_to_string(thread.join("children")).unwrap_or_default()
    });
    children.collect()
}

#[cfg(target_os = "linux")]
#[test]
fn many_children_cost_no_thread_and_leak_no_descriptor() {
    let name = "process::many_children_cost_no_thread_and_leak_no_descriptor";
    if let Some(ended) = run_alone(name) {
        return assert_passed(&ended);
    }
    run(async {
        cat().wait().await.expect("it ends"); // whatever is made once, is made now
        let (descriptors, threads) = (count("fd"), count("task"));
        for number in 0..200 {
            let mut shell = shell(&format!("cat; exit {number}"));
            let shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = Child::spawn(shell.stderr(Stdio::piped())).expect("a child");
            let mut stdin = child.stdin.take().expect("piped");
            stdin.send_all(b"meow").await.expect("it reads");
            stdin.close().await.expect("closes");
            assert_eq!(receive_all(stdout(&mut child)).await, b"meow");
            let status = child.wait().await.expect("it ends");
            assert_eq!(status.code(), Some(number));
        }
        assert_eq!((count("fd"), count("task")), (descriptors, threads));

        let mut cats: Vec<_> = (0..50).map(|_| cat()).collect();
        let inputs: Vec<_> = cats.iter_mut().map(|cat| cat.stdin.take()).collect();
        let ending = async {
            sleep(20).await;
            assert_eq!(count("task"), threads);
            drop(inputs);
        };
        let (ended, ()) = join(join_all(cats.iter_mut().map(Child::wait)), ending).await;
        assert!(
            ended
                .into_iter()
                .all(|status| status.expect("it ends").success())
        );
        drop(cats);
        assert_eq!((count("fd"), count("task")), (descriptors, threads));
        assert_eq!(children(), "");
    });
}

/// At each descriptor that a child takes.
#[cfg(target_os = "linux")]
#[test]
fn a_child_for_which_there_is_no_descriptor_is_refused_and_not_left() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let name = "process::a_child_for_which_there_is_no_descriptor_is_refused_and_not_left";
    if let Some(ended) = run_alone(name) {
        return assert_passed(&ended);
    }
    run(async {
        sleep(1).await; // the loop has its own
        let limits = getrlimit(Resource::Nofile);
        let mut refusals = 0;
        for most in 3.. {
            let few = Rlimit {
                current: Some(most),
                ..limits
            };
            setrlimit(Resource::Nofile, few).expect("a lower limit");
            let mut endless = Command::new("sleep");
            let endless = endless.arg("1000").stdin(Stdio::piped());
            let spawned = Child::spawn(endless.stdout(Stdio::piped()));
            setrlimit(Resource::Nofile, limits).expect("the old limit");
            let Err(error) = spawned else { break };
            assert_eq!(error.fault(), Fault::Capacity, "{most}: {error}");
            refusals += 1;
            while !children().is_empty() {
                sleep(1).await;
            }
        }
        assert!(refusals > 5, "{refusals}");
    });
}
