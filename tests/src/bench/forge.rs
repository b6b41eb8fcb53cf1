//! A Git server: `git http-backend` behind a few lines of HTTP/1.1, as people push to it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

/// Serves the repositories in `folder` for reading and pushing; gives the base URL. It ends with the process.
///
/// # Errors
/// When no port is free.
pub fn serve(folder: &Path) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let base = format!("http://{}", listener.local_addr()?);
    let folder = folder.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let folder = folder.clone();
            // A connection that breaks is its client's to report.
            std::thread::spawn(move || answer(stream, &folder).ok());
        }
    });
    Ok(base)
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

fn answer(mut stream: TcpStream, folder: &Path) -> Result<()> {
    let request = read(&stream)?;
    let response = backend(&request, folder)?;
    Ok(stream.write_all(&response)?)
}

fn read(stream: &TcpStream) -> Result<Request> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut parts = first.split(' ');
    let method = parts.next().context("no method")?.to_owned();
    let target = parts.next().context("no path")?.to_owned();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((key, value)) = line.split_once(':') else { break };
        headers.push((key.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request =
        Request { method, path: path.to_owned(), query: query.to_owned(), headers, body: Vec::new() };
    if request.header("transfer-encoding") == "chunked" {
        request.body = chunks(&mut reader)?;
    } else {
        request.body = vec![0; request.header("content-length").parse().unwrap_or(0)];
        reader.read_exact(&mut request.body)?;
    }
    Ok(request)
}

fn chunks(reader: &mut BufReader<&TcpStream>) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let length = usize::from_str_radix(line.trim(), 16)?;
        let mut chunk = vec![0; length + 2];
        reader.read_exact(&mut chunk)?;
        body.extend_from_slice(chunk.get(..length).unwrap_or_default());
        if length == 0 {
            return Ok(body);
        }
    }
}

/// Runs `git http-backend` (CGI, RFC 3875) and makes its answer one of HTTP.
fn backend(request: &Request, folder: &Path) -> Result<Vec<u8>> {
    let mut child = Command::new("git")
        .args(["-c", "http.receivepack=true", "http-backend"])
        .env("GIT_PROJECT_ROOT", folder)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", &request.path)
        .env("QUERY_STRING", &request.query)
        .env("REQUEST_METHOD", &request.method)
        .env("CONTENT_TYPE", request.header("content-type"))
        .env("HTTP_CONTENT_ENCODING", request.header("content-encoding"))
        .env("HTTP_GIT_PROTOCOL", request.header("git-protocol"))
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("git http-backend cannot be started")?;
    let mut stdin = child.stdin.take().context("it has no stdin")?;
    let body = request.body.clone();
    let writing = std::thread::spawn(move || stdin.write_all(&body));
    let output = child.wait_with_output()?.stdout;
    // It may answer without having read all; what it then answers says why.
    let _ = writing.join();
    let end = output.windows(4).position(|four| four == b"\r\n\r\n").context("it answers nothing")?;
    let (head, body) = output.split_at(end);
    let body = body.get(4..).unwrap_or_default();
    let headers = String::from_utf8_lossy(head).into_owned();
    let status = headers.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
    let mut response = format!("HTTP/1.1 {status}\r\nConnection: close\r\n").into_bytes();
    for line in headers.lines().filter(|line| !line.starts_with("Status: ")) {
        response.extend_from_slice(format!("{line}\r\n").as_bytes());
    }
    response.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    response.extend_from_slice(body);
    Ok(response)
}
