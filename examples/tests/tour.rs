//! The tour as its users start it.

#![cfg(unix)]

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};

const ROWS: [&str; 8] = [
    "memory",
    "stapled",
    "tcp",
    "embassy",
    "pipes",
    "tls",
    "tls-in-tls",
    "tls-pipes",
];

/// Those with a child process.
const CHILD_ROWS: [&str; 2] = ["pipes", "tls-pipes"];

fn tour(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the tour starts")
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tour"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).expect("text")
}

fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).expect("text")
}

/// A child program that does something wrong.
fn program(name: &str) -> String {
    format!("{}/tests/children/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The line of the table that begins with `row`.
fn line<'a>(output: &'a Output, row: &str) -> &'a str {
    let mut lines = stdout(output).lines();
    lines
        .find(|line| line.split(' ').next() == Some(row))
        .unwrap_or_else(|| panic!("no row {row} in {output:?}"))
}

/// Why `row` failed, as said below the table.
fn failure<'a>(output: &'a Output, row: &str) -> &'a str {
    assert!(line(output, row).ends_with(" FAILED"), "{output:?}");
    let start = format!("{row}: FAILED: ");
    let mut lines = stdout(output).lines();
    lines
        .find_map(|line| line.strip_prefix(&start))
        .unwrap_or_else(|| panic!("no reason for {row} in {output:?}"))
}

#[test]
fn every_row_is_verified() {
    for size in ["1", "65537", "1MiB"] {
        let output = tour(&["--bytes", size]);
        assert!(output.status.success(), "{output:?}");
        for row in ROWS {
            assert!(line(&output, row).ends_with(" verified"), "{output:?}");
        }
    }
}

#[test]
fn rows_can_be_chosen_and_come_once_in_their_order() {
    let output = tour(&["--rows", "tcp,memory,tcp", "--bytes", "1KiB"]);
    assert!(output.status.success(), "{output:?}");
    let rows: Vec<_> = stdout(&output)
        .lines()
        .filter(|line| line.ends_with(" verified"))
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(rows, ["memory", "tcp"]);
}

#[test]
fn json_is_one_object_a_line_and_nothing_else() {
    let output = tour(&["--json", "--bytes", "300KiB"]);
    assert!(output.status.success(), "{output:?}");
    let objects: Vec<serde_json::Value> = stdout(&output)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let rows: Vec<_> = objects.iter().map(|object| &object["row"]).collect();
    assert_eq!(rows, ROWS);
    for object in &objects {
        assert_eq!(object["result"], "verified");
        assert_eq!(object["bytes"], 300 << 10);
        assert!(object["mib_per_second"].as_f64() > Some(0.0));
        assert!(object["layers"].as_array().is_some_and(|all| all.len() > 1));
        assert!(object["reason"].is_null());
    }
}

#[test]
fn an_unknown_row_is_refused_with_the_known_ones() {
    let output = tour(&["--rows", "memory,carrier-pigeon"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stdout(&output).is_empty());
    assert!(stderr(&output).contains("carrier-pigeon"));
    for row in ROWS {
        assert!(stderr(&output).contains(row), "{output:?}");
    }
}

#[test]
fn a_size_that_is_none_is_refused_with_an_example() {
    for size in ["lots", "0", "-1", "64MB", "1.5GiB", "17179869184GiB"] {
        let output = tour(&["--bytes", size]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(stderr(&output).contains(size), "{output:?}");
        assert!(stdout(&output).is_empty());
    }
    assert!(stderr(&tour(&["--bytes", "lots"])).contains("64MiB"));
}

#[test]
fn help_names_the_rows_and_keeps_the_inner_options_to_itself() {
    let output = tour(&["--help"]);
    assert!(output.status.success());
    for row in ROWS {
        assert!(stdout(&output).contains(row));
    }
    assert!(!stdout(&output).contains("--child"));
}

#[test]
fn a_child_that_does_not_exist_is_named_and_the_other_rows_go_on() {
    let program = "/nowhere/to/be/found";
    let output = tour(&["--child-program", program, "--bytes", "1KiB"]);
    assert_eq!(output.status.code(), Some(1));
    for row in CHILD_ROWS {
        let failed = failure(&output, row);
        assert!(failed.contains("cannot start the child process"));
        assert!(failed.contains(program));
    }
    assert!(line(&output, "tls").ends_with(" verified"));
    assert!(stderr(&output).contains("2 of 8 rows failed"));
}

#[test]
fn a_child_that_leaves_at_once_is_reported_with_its_exit_status() {
    for (program, status) in [("false", "exit status: 1"), ("true", "exit status: 0")] {
        let output = tour(&["--rows", "pipes,tls-pipes", "--child-program", program]);
        assert_eq!(output.status.code(), Some(1));
        for row in CHILD_ROWS {
            let failed = failure(&output, row);
            assert!(failed.contains("the child process ended"), "{failed}");
            assert!(failed.contains(status), "{failed}");
        }
    }
}

#[test]
fn a_child_that_serves_something_else_is_a_broken_protocol() {
    let output = tour(&["--rows", "pipes", "--child-program", &program("mirror")]);
    assert_eq!(output.status.code(), Some(1));
    let failed = failure(&output, "pipes");
    assert!(failed.starts_with("telemetry client: "), "{failed}");
    assert!(failed.contains("breaks the protocol"), "{failed}");
}

#[test]
fn a_child_that_does_not_speak_tls_is_refused_in_the_handshake() {
    let output = tour(&["--rows", "tls-pipes", "--child-program", &program("mirror")]);
    assert_eq!(output.status.code(), Some(1));
    let failed = failure(&output, "tls-pipes");
    assert!(failed.starts_with("telemetry client: TLS: "), "{failed}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_child_that_leaves_tls_out_is_noticed() {
    let output = tour(&[
        "--rows",
        "tls-pipes",
        "--child-program",
        &program("careless"),
    ]);
    assert_eq!(output.status.code(), Some(1));
    failure(&output, "tls-pipes");
}

#[cfg(target_os = "linux")]
#[test]
fn a_child_that_proves_to_be_somebody_else_is_not_trusted() {
    let stranger = rcgen::generate_simple_self_signed(["tour.example".to_owned()]);
    let stranger = stranger.expect("a certificate");
    let pem = stranger.cert.pem() + &stranger.signing_key.serialize_pem();
    let output = command(&[
        "--rows",
        "tls-pipes",
        "--child-program",
        &program("stranger"),
    ])
    .env("STRANGER", pem)
    .output()
    .expect("the tour starts");
    assert_eq!(output.status.code(), Some(1));
    let failed = failure(&output, "tls-pipes");
    assert!(
        failed.starts_with("telemetry client: TLS: invalid peer certificate"),
        "{failed}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_child_that_serves_well_but_fails_is_a_failure() {
    let program = program("grudging");
    let output = tour(&["--rows", "pipes,tls-pipes", "--child-program", &program]);
    assert_eq!(output.status.code(), Some(1));
    for row in CHILD_ROWS {
        let failed = failure(&output, row);
        assert!(failed.ends_with("the child process ended with exit status: 3"));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_child_that_would_stay_is_taken_away() {
    let program = program("deaf");
    let output = tour(&["--rows", "pipes,tls-pipes", "--child-program", &program]);
    assert_eq!(output.status.code(), Some(1));
    let failed = failure(&output, "pipes");
    assert!(failed.contains("breaks the protocol"), "{failed}");
    let failed = failure(&output, "tls-pipes");
    assert!(failed.contains("TLS: "), "{failed}");
    assert!(!processes::any_with_argument("31415926"));
}

#[test]
fn json_tells_the_reason_of_a_failure() {
    let output = tour(&["--json", "--rows", "pipes", "--child-program", "false"]);
    assert_eq!(output.status.code(), Some(1));
    let object: serde_json::Value = serde_json::from_str(stdout(&output)).expect("JSON");
    assert_eq!(object["result"], "failed");
    assert!(object["seconds"].is_null());
    let reason = object["reason"].as_str().expect("a reason");
    assert!(reason.contains("the child process ended"), "{reason}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_child_killed_in_the_midst_is_a_clear_failure_and_leaves_nobody_behind() {
    for row in CHILD_ROWS {
        let tour = command(&["--rows", row, "--bytes", "100GiB"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the tour starts");
        let child = loop {
            assert!(processes::is_there(tour.id()), "the tour left early");
            if let Some(child) = processes::echo_child_of(tour.id()) {
                break child;
            }
            std::thread::yield_now();
        };
        processes::kill(child);
        let output = tour.wait_with_output().expect("the tour ends");
        assert_eq!(output.status.code(), Some(1));
        let failed = failure(&output, row);
        assert!(failed.contains("the child process ended"), "{failed}");
        assert!(failed.contains("SIGKILL"), "{failed}");
        assert!(!processes::is_there(child));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_child_leaves_when_the_tour_is_killed() {
    for row in CHILD_ROWS {
        let mut tour = command(&["--rows", row, "--bytes", "100GiB"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the tour starts");
        let child = loop {
            if let Some(child) = processes::echo_child_of(tour.id()) {
                break child;
            }
            std::thread::yield_now();
        };
        tour.kill().expect("it runs");
        tour.wait().expect("it ends");
        while processes::is_there(child) {
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_reader_who_leaves_early_is_no_reason_to_fail() {
    for arguments in [&["--bytes", "1KiB"][..], &["--bytes", "1KiB", "--json"]] {
        let mut tour = command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the tour starts");
        let mut first = String::new();
        let mut reader = BufReader::with_capacity(1, tour.stdout.take().expect("piped"));
        reader.read_line(&mut first).expect("a line");
        drop(reader);
        let output = tour.wait_with_output().expect("the tour ends");
        assert!(output.status.success(), "{output:?}");
        assert!(!stderr(&output).contains("panicked"), "{output:?}");
    }
}

/// Other processes, as Linux shows them.
#[cfg(target_os = "linux")]
mod processes {
    use std::fs;
    use std::process::Command;

    /// The process that serves the echo for `parent`, once it runs the program it was started for.
    pub(crate) fn echo_child_of(parent: u32) -> Option<u32> {
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
        let child = children.ok()?.split_whitespace().next()?.parse().ok()?;
        let arguments = fs::read_to_string(format!("/proc/{child}/cmdline")).ok()?;
        arguments.contains("--child\0echo\0").then_some(child)
    }

    /// Whether it is there, and not just waiting to be reaped.
    pub(crate) fn is_there(process: u32) -> bool {
        let status = fs::read_to_string(format!("/proc/{process}/status"));
        status.is_ok_and(|status| !status.contains("State:\tZ"))
    }

    pub(crate) fn any_with_argument(argument: &str) -> bool {
        let processes = fs::read_dir("/proc").expect("the list of processes");
        processes.flatten().any(|process| {
            let arguments = fs::read_to_string(process.path().join("cmdline"));
            arguments.is_ok_and(|all| all.split('\0').any(|one| one == argument))
        })
    }

    pub(crate) fn kill(process: u32) {
        let killed = Command::new("kill")
            .args(["-KILL", &process.to_string()])
            .status();
        assert!(killed.is_ok_and(|status| status.success()));
    }
}
