//! A web server that many people use: nginx.

use core::net::{Ipv4Addr, SocketAddr};
use std::net::TcpStream;
use std::path::Path;

use socket2::{Domain, Socket, Type};
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
        listen {address} ssl reuseport;
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
    /// Keeps the port.
    _place: Socket,
}

impl Nginx {
    /// Starts it with a certificate from `authority`, for these versions of TLS.
    pub(crate) fn start(authority: &Authority, protocols: &str) -> Self {
        let folder = Folder::new();
        let page = pattern(SERVERS, 300_000);
        std::fs::create_dir(folder.file("pages")).expect("the folder is ours");
        folder.write("pages/page", &page);
        folder.write("server.pem", authority.server_pem());
        let (place, address) = reserve_address();
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
            _place: place,
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

/// An address for nginx, which cannot say what port the system has chosen for it, and a socket that keeps it from everybody else.
///
/// That one does not listen. nginx, which belongs to the same user, may share the port, and does.
fn reserve_address() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_reuse_port(true).expect("an option");
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    socket.bind(&anywhere.into()).expect("a free port");
    let address = socket.local_addr().expect("its address");
    (socket, address.as_socket().expect("one of IP"))
}
