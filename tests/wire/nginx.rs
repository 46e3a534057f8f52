//! A web server that many people use: nginx.

use core::net::{Ipv4Addr, SocketAddr};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use tacket_tests::Authority;

use crate::data::{SERVERS, pattern};
use crate::folder::Folder;
use crate::process::Process;

/// One process in the foreground, which any user may run. It keeps all its files in `{folder}`.
const SETTINGS: &str = "
daemon off;
master_process off;
error_log stderr;
pid {folder}/pid;
events {}
http {
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {
        listen {address} ssl;
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.pem;
        ssl_protocols {protocols};
        root {folder}/pages;
    }
}
";

/// nginx at work, with one page. Dropping it kills it.
pub(crate) struct Nginx {
    pub(crate) address: SocketAddr,
    pub(crate) page: Vec<u8>,
    _process: Process,
}

impl Nginx {
    /// Starts it with a certificate from `authority`, for these versions of TLS.
    pub(crate) fn start(authority: &Authority, protocols: &str) -> Self {
        let folder = Folder::new();
        let page = pattern(SERVERS, 300_000);
        std::fs::create_dir(folder.file("pages")).expect("the folder is ours");
        folder.write("pages/page", &page);
        folder.write("server.pem", authority.server_pem());
        let address = free_address();
        let settings = SETTINGS
            .replace("{address}", &address.to_string())
            .replace("{protocols}", protocols)
            .replace("{folder}", &folder.file(""));
        let settings = folder.write("settings", settings);
        let arguments = ["-p", &folder.file(""), "-e", "stderr", "-c", &settings];
        let mut process = Process::start(program(), &arguments, folder);
        process.wait_for("connection", |_| TcpStream::connect(address).ok());
        Self {
            address,
            page,
            _process: process,
        }
    }
}

/// Debian keeps it where only root looks.
fn program() -> &'static str {
    let hidden = "/usr/sbin/nginx";
    if Path::new(hidden).exists() {
        hidden
    } else {
        "nginx"
    }
}

/// An address that nobody uses at the moment.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address")
}
