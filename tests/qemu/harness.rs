//! What the harness says, and leaves behind, when something is wrong.

use core::time::Duration;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Instant;
use std::{env, fs, thread};

use tacket_hil::{Board, Boot, Firmware, HilError, Image, Target};
use tacket_tests::part_image;

use crate::images::{boot, boot_part, boot_test, example};

/// How many emulators run that have this word among their arguments.
fn emulators_with(word: &str) -> usize {
    let processes = fs::read_dir("/proc").unwrap();
    let command_lines =
        processes.filter_map(|process| fs::read(process.ok()?.path().join("cmdline")).ok());
    command_lines
        .filter(|line| String::from_utf8_lossy(line).contains(word))
        .count()
}

fn assert_gone(word: &str) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while emulators_with(word) > 0 {
        assert!(Instant::now() < deadline, "{word} is still there");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Covers HIL-01.
#[test]
fn a_guest_that_panics_is_told_with_its_last_words_and_its_network() {
    let boot = boot_test("failing").argument("mark=panics");
    let mut guest = boot.start().unwrap();
    guest.wait_for("about to fail").unwrap();
    let error = guest.finish().unwrap_err();
    let said = error.to_string();
    assert!(said.contains("failing ended with exit code 1"), "{said}");
    assert!(said.contains("| this image fails"), "{said}");
    let HilError::Failed { trace, .. } = error else {
        panic!("{said}");
    };
    let capture = trace.capture.unwrap();
    assert!(said.contains(capture.to_str().unwrap()), "{said}");
    let header = fs::read(&capture).unwrap();
    assert_eq!(
        header[..4],
        [0xD4, 0xC3, 0xB2, 0xA1],
        "a file in pcap format"
    );
    fs::remove_dir_all(capture.parent().unwrap()).unwrap();
    assert_gone("mark=panics");
}

/// Covers HIL-01.
#[test]
fn a_guest_that_ends_before_what_is_awaited_is_told() {
    let mut guest = boot_test("failing").argument("how=exit").start().unwrap();
    let error = guest.wait_for("something else").unwrap_err().to_string();
    assert!(error.contains("failing ended with exit code 1"), "{error}");
    assert!(error.contains("| about to fail"), "{error}");
}

/// Covers HIL-02.
#[test]
fn a_guest_that_hangs_is_told_and_killed() {
    let boot = boot_test("failing")
        .argument("how=hang")
        .argument("mark=hangs");
    let mut guest = boot.start().unwrap();
    let limit = Duration::from_millis(300);
    let error = guest
        .wait_for_within("what never comes", limit)
        .unwrap_err();
    let said = error.to_string();
    assert!(said.contains("failing hangs"), "{said}");
    assert!(said.contains("\"what never comes\""), "{said}");
    drop(guest);
    assert_gone("mark=hangs");

    let guest = boot.lifetime(Duration::from_secs(5)).start().unwrap();
    let said = guest.finish().unwrap_err().to_string();
    assert!(said.contains("after 5 s still running"), "{said}");
    assert!(said.contains("| about to fail"), "{said}");
    assert_gone("mark=hangs");
}

/// Covers HIL-02.
#[test]
fn a_guest_whose_lifetime_is_over_is_killed_though_nobody_waits_for_it() {
    let boot = boot_test("failing")
        .argument("how=hang")
        .argument("mark=forgotten");
    let mut guest = boot.lifetime(Duration::from_secs(5)).start().unwrap();
    guest.wait_for("about to fail").unwrap();
    assert!(emulators_with("mark=forgotten") > 0);
    thread::sleep(Duration::from_secs(5));
    assert_gone("mark=forgotten");
    let said = guest.check().unwrap_err().to_string();
    assert!(said.contains("after 5 s still running"), "{said}");
    let said = guest.wait_for("anything").unwrap_err().to_string();
    assert!(said.contains("hangs"), "{said}");
}

/// Covers HIL-02.
#[test]
fn a_guest_that_ended_content_has_not_failed_though_its_time_is_over() {
    let boot = boot_part("sizes").lifetime(Duration::from_secs(5));
    let mut guest = boot.start().unwrap();
    guest.wait_for("that is all").unwrap();
    thread::sleep(Duration::from_secs(7));
    guest.check().unwrap();
    assert!(
        matches!(guest.pause(), Err(HilError::Failed { .. })),
        "it is gone"
    );
}

/// Covers HIL-03.
#[test]
fn a_board_without_a_network_boots_and_has_no_ports() {
    let machine = Board::new("qemu-system-arm", &["-M", "mps2-an385"]);
    let image = part_image(Target::THUMBV7M, "sizes").unwrap();
    let guest = Boot::new(&image, machine)
        .lifetime(Duration::MAX)
        .start()
        .unwrap();
    guest.finish().unwrap();
    let error = Boot::new(&image, machine).forward(7).start().unwrap_err();
    assert!(
        error.to_string().contains("no network controller"),
        "{error}"
    );
}

/// Covers HIL-02.
#[test]
fn a_guest_does_not_outlive_a_test_that_is_killed() {
    let mut test = Command::new(env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "harness::holds_a_guest",
            "--nocapture",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(test.stdout.take().unwrap()).lines();
    let ready = lines
        .map_while(Result::ok)
        .any(|line| line.contains("held"));
    assert!(ready);
    assert!(emulators_with("mark=held") > 0);
    test.kill().unwrap();
    test.wait().unwrap();
    assert_gone("mark=held");
}

#[test]
#[ignore = "another test runs it, and kills it"]
fn holds_a_guest() {
    let boot = boot_test("failing")
        .argument("how=hang")
        .argument("mark=held");
    let mut guest = boot.start().unwrap();
    guest.wait_for("about to fail").unwrap();
    println!("held");
    let _ = guest.finish();
}

/// Covers HIL-03.
#[test]
fn a_missing_emulator_and_a_missing_image_are_named() {
    let image = example(Target::THUMBV7M, "echo_server");
    let nowhere = Board::new("qemu-system-nowhere", &[]);
    let error = Boot::new(&image, nowhere).start().unwrap_err().to_string();
    assert!(
        error.contains("qemu-system-nowhere is not installed"),
        "{error}"
    );

    let missing = Image::built_elsewhere("/nowhere/firmware.elf");
    let error = Boot::new(&missing, Board::MPS2_AN385).start().unwrap_err();
    assert_eq!(error.to_string(), "there is no image /nowhere/firmware.elf");
}

/// Covers HIL-03.
#[test]
fn an_option_that_the_emulator_refuses_is_told_in_its_words() {
    let image = example(Target::THUMBV7M, "echo_server");
    let board = Board::new("qemu-system-arm", &["-M", "no-such-machine"]).nic("lan9118");
    let mut guest = Boot::new(&image, board).start().unwrap();
    let error = guest.wait_for("listening").unwrap_err().to_string();
    assert!(error.contains("unsupported machine type"), "{error}");
}

/// Covers HIL-03.
#[test]
fn a_build_that_fails_is_told_with_the_compilers_words() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    let manifest =
        "[package]\nname = \"broken\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n";
    let lock = "version = 4\n\n[[package]]\nname = \"broken\"\nversion = \"0.0.0\"\n";
    let main = "#![no_std]\n#![no_main]\nfn main() { there_is_no_such_thing() }\n";
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.path().join("Cargo.lock"), lock).unwrap();
    fs::write(folder.path().join("src/main.rs"), main).unwrap();
    let built = Firmware::in_folder(folder.path()).build(Target::THUMBV7M, "broken");
    let error = built.unwrap_err().to_string();
    assert!(
        error.contains("broken for thumbv7m-none-eabi in "),
        "{error}"
    );
    assert!(error.contains("there_is_no_such_thing"), "{error}");

    let unknown = Target::new("no-such-target");
    let built = Firmware::in_folder(folder.path()).build(unknown, "broken");
    let error = built.unwrap_err().to_string();
    assert!(error.contains("no-such-target"), "{error}");
}

/// Covers HIL-04.
#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut guest = boot("echo_server").forward_from(port, 7).start().unwrap();
    let error = guest.wait_for("listening").unwrap_err().to_string();
    assert!(
        error.contains(&format!("port {port} of this machine is in use")),
        "{error}"
    );
}

/// Covers HIL-05.
#[test]
fn an_image_built_elsewhere_is_booted_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("somebody's firmware.elf");
    fs::copy(boot_image(), &path).unwrap();
    let image = Image::built_elsewhere(&path);
    let guest = Boot::new(&image, Board::MPS2_AN385)
        .name("theirs")
        .start()
        .unwrap();
    let error = guest.finish().unwrap_err().to_string();
    assert!(error.contains("theirs ended with exit code 1"), "{error}");
}

fn boot_image() -> std::path::PathBuf {
    crate::images::test_image(Target::THUMBV7M, "failing")
        .path()
        .to_owned()
}
