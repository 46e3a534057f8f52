//! The program `https_get` of the examples gets pages of nginx.

use std::env;
use std::net::TcpStream;
use std::process::Command;
use std::sync::LazyLock;

use tacket_tests::{Authority, NAME};

use crate::folder::Folder;
use crate::https::Proxy;
use crate::nginx::Nginx;
use crate::process::Process;

/// The program, built on first use: it belongs to another package than the tests. That takes a minute, unless `tests/run` has built it.
static PROGRAM: LazyLock<String> = LazyLock::new(|| {
    // This is target/profile/deps/test.
    let test = env::current_exe().expect("a program has a path");
    let target = test.ancestors().nth(3).expect("the target folder");
    let mut cargo = Command::new(env!("CARGO"));
    // What cargo tells us of this package looks like a change to the build scripts of others, which would then run again.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    let built = cargo
        .args(["build", "--quiet", "--locked"])
        .args(["--package=tacket-examples", "--bin=https_get"])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo is there");
    assert!(built.success(), "https_get cannot be built: {built}");
    let name = format!("https_get{}", env::consts::EXE_SUFFIX);
    let program = target.join("debug").join(name).into_os_string();
    program.into_string().expect("a path in Unicode")
});

/// What came of getting the page of an nginx.
struct Got {
    process: Process,
    success: bool,
}

impl Got {
    /// Trusts `roots`, as PEM. The page is that of `host`, at the port of `nginx`.
    fn new(nginx: &Nginx, host: &str, roots: &str, options: &[&str]) -> Self {
        let folder = Folder::new();
        let url = format!("https://{host}:{}/page", nginx.address.port());
        let roots = folder.write("roots.pem", roots);
        let arguments = [&[&url, "--ca", &roots], options].concat();
        let mut process = Process::start(&PROGRAM, &arguments, folder);
        let success = process.wait().success();
        Self { process, success }
    }

    fn assert_whole(&self, nginx: &Nginx) {
        let process = &self.process;
        assert!(self.success, "{process}");
        let page = process.output_bytes();
        assert!(page == nginx.page, "{process}: the page has changed");
        assert!(process.errors().contains("TLS 1.3"), "{process}: no facts");
    }

    fn assert_failed(&self, reason: &str) {
        let process = &self.process;
        assert!(!self.success, "{process}: it is content");
        assert_eq!(process.output(), "", "{process}");
        assert!(process.errors().contains(reason), "{process}");
    }
}

#[test]
fn https_get_prints_a_page_and_the_facts_of_the_session() {
    let authority = Authority::new();
    let nginx = Nginx::start(&authority, "TLSv1.2 TLSv1.3");
    let address = nginx.address.to_string();
    let options = ["--connect", &address];
    Got::new(&nginx, NAME, &authority.root_pem(), &options).assert_whole(&nginx);
}

#[test]
fn https_get_goes_through_proxies_with_and_without_tls() {
    LazyLock::force(&PROGRAM); // a proxy lives for less than a compiler may take
    let authority = Authority::new();
    let nginx = Nginx::start(&authority, "TLSv1.3");
    for (scheme, options) in [("http", &["--plain"][..]), ("https", &[])] {
        let proxy = Proxy::start(options);
        let roots = authority.root_pem() + &proxy.root_pem();
        drop(TcpStream::connect(proxy.address).expect("it listens")); // who wants nothing
        let through = format!("{scheme}://{}", proxy.address);
        let options = ["--proxy", &through];
        Got::new(&nginx, "127.0.0.1", &roots, &options).assert_whole(&nginx);
        proxy.assert_carried(nginx.page.len());
    }
}

/// Covers SSL-02.
#[test]
fn https_get_refuses_a_server_that_it_has_no_reason_to_trust() {
    let nginx = Nginx::start(&Authority::new(), "TLSv1.2 TLSv1.3");
    let address = nginx.address.to_string();
    let options = ["--connect", &address];
    Got::new(&nginx, NAME, &Authority::new().root_pem(), &options).assert_failed("certificate");
}
