//! Git over HTTP for tests: `git http-backend` behind a few lines of HTTP/1.1, and servers that misbehave.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

/// A server that ends with the test's process.
pub(crate) struct Served {
    /// Its URL, without a path.
    pub(crate) base: String,
    /// The requests that it got: method, path, and whether a credential came with it.
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
}

/// Serves the repository in `folder` by the first segment of the path. `/good`; `/old` speaks version 0 only;
/// `/flat` and `/oldflat` are these without depth; `/auth` asks for `user:secret`; `/status-CODE`; `/moved` leads to `/good`, `/redirect` does by another name of
/// this host; `/garbage` and `/page` are no Git; `/silent` never answers, `/drip` a byte at a time; `/cut` ends a
/// pack in its middle, `/halt` stops there, `/flip` changes a byte of it.
pub(crate) fn serve(folder: &Path) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (folder, requests) = (folder.to_owned(), Arc::default());
    let log = Arc::clone(&requests);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (folder, log) = (folder.clone(), Arc::clone(&log));
            std::thread::spawn(move || answer(stream, folder, &log));
        }
    });
    Served { base, requests }
}

struct Request {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

fn answer(mut stream: TcpStream, folder: PathBuf, log: &Mutex<Vec<String>>) {
    let Some(request) = read(&stream) else { return };
    let armed = if request.header("authorization").is_empty() { "" } else { " with a credential" };
    log.lock().unwrap().push(format!("{} {}{armed}", request.method, request.path));
    let (mode, rest) = request.path.trim_start_matches('/').split_once('/').unwrap_or(("", ""));
    let plain = |status: &str, more: &str, body: &str| {
        format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\n{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let response = match mode {
        "good" | "old" => backend(&request, rest, &folder, mode == "good"),
        "flat" | "oldflat" => {
            let mut response = backend(&request, rest, &folder, mode == "flat");
            // Of the same length, and of no meaning.
            if request.method == "GET" {
                while let Some(at) = response.windows(7).position(|seven| seven == b"shallow") {
                    response[at..at + 7].copy_from_slice(b"nothing");
                }
            }
            response
        }
        "cut" | "halt" | "flip" => {
            let mut response = backend(&request, rest, &folder, true);
            let end = response.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
            let Some(pack) = response.windows(4).position(|four| four == b"PACK") else {
                let _ = stream.write_all(&response);
                return;
            };
            match mode {
                "flip" => response[pack + 20] ^= 0xff,
                _ => response.truncate(end.max(pack + 30)),
            }
            if mode == "halt" {
                let _ = stream.write_all(&response);
                std::thread::sleep(std::time::Duration::from_secs(60));
                return;
            }
            response
        }
        "auth" if request.header("authorization") == "Basic dXNlcjpzZWNyZXQ=" => {
            backend(&request, rest, &folder, true)
        }
        "auth" => plain("401 Unauthorized", "WWW-Authenticate: Basic realm=\"git\"\r\n", "no").into_bytes(),
        "moved" | "redirect" => {
            let port = stream.local_addr().unwrap().port();
            let base = if mode == "moved" { String::new() } else { format!("http://localhost:{port}") };
            let location = format!("Location: {base}/good/{rest}?{}\r\n", request.query);
            plain("302 Found", &location, "").into_bytes()
        }
        "garbage" => {
            let kind = "Content-Type: application/x-git-upload-pack-advertisement\r\n";
            plain("200 OK", kind, "<html>not git</html>").into_bytes()
        }
        "page" => plain("200 OK", "Content-Type: text/html\r\n", "<html>log in</html>").into_bytes(),
        "drip" => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\nContent-Length: 100000\r\n\r\n");
            while stream.write_all(b"1").is_ok() {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            return;
        }
        "silent" => {
            std::thread::sleep(std::time::Duration::from_secs(60));
            return;
        }
        other => plain(&format!("{} Told", other.trim_start_matches("status-")), "", "told").into_bytes(),
    };
    let _ = stream.write_all(&response);
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut parts = line.split(' ');
    let (method, target) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((key, value)) = line.split_once(':') else { break };
        headers.push((key.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request =
        Request { method, path: path.to_owned(), query: query.to_owned(), headers, body: Vec::new() };
    if request.header("transfer-encoding") == "chunked" {
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let length = usize::from_str_radix(line.trim(), 16).ok()?;
            let mut chunk = vec![0; length + 2];
            reader.read_exact(&mut chunk).ok()?;
            request.body.extend_from_slice(&chunk[..length]);
            if length == 0 {
                break;
            }
        }
    } else {
        request.body = vec![0; request.header("content-length").parse().unwrap_or(0)];
        reader.read_exact(&mut request.body).ok()?;
    }
    Some(request)
}

/// Runs `git http-backend` (CGI, RFC 3875) and makes its answer one of HTTP.
fn backend(request: &Request, path: &str, folder: &Path, newest: bool) -> Vec<u8> {
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROTOCOL", if newest { request.header("git-protocol") } else { "" })
        .env("GIT_PROJECT_ROOT", folder.parent().unwrap())
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", format!("/{}/{path}", folder.file_name().unwrap().to_str().unwrap()))
        .env("QUERY_STRING", &request.query)
        .env("REQUEST_METHOD", &request.method)
        .env("CONTENT_TYPE", request.header("content-type"))
        .env("HTTP_CONTENT_ENCODING", request.header("content-encoding"))
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let body = request.body.clone();
    std::thread::spawn(move || {
        let _ = stdin.write_all(&body);
    });
    let output = child.wait_with_output().unwrap().stdout;
    let end = output.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let headers = String::from_utf8_lossy(&output[..end]).into_owned();
    let status = headers.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
    let mut response = format!("HTTP/1.1 {status}\r\nConnection: close\r\n").into_bytes();
    for line in headers.lines().filter(|line| !line.starts_with("Status: ")) {
        response.extend_from_slice(format!("{line}\r\n").as_bytes());
    }
    response.extend_from_slice(format!("Content-Length: {}\r\n\r\n", output.len() - end - 4).as_bytes());
    response.extend_from_slice(&output[end + 4..]);
    response
}
