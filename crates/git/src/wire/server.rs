//! A conversation with a server: what references it has, and a pack of what is wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::PathBuf;

use countersign_core::ports::forge::GitCredential;
use git2::Oid;
use ureq::Agent;

use super::Trouble;
use super::http::Http;
use super::packets::{self, DELIMITER, FLUSH, Packet};
use super::ssh::{Ender, Ssh};
use crate::mirror::Source;

/// The most references that a server may list.
const MAX_REFERENCES: usize = 500_000;

/// Where a reference leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tip {
    /// The object that it names.
    pub(crate) id: Oid,
    /// For an annotated tag, what that leads to.
    pub(crate) peeled: Option<Oid>,
}

/// References by name.
pub(crate) type References = BTreeMap<String, Tip>;

/// How a server is spoken to.
enum Connection {
    Http(Http),
    Ssh(Ssh),
}

/// What a server answers.
struct Answer<'a> {
    bytes: Box<dyn Read + 'a>,
    /// Whether nothing but its end comes after the last packet: a session goes on.
    ends: bool,
}

/// What a server understands.
enum Protocol {
    /// It was not asked yet.
    Unknown,
    /// Version 2.
    Two,
    /// Version 0, which lists all references first.
    Zero(References),
}

/// A server, for one repository.
pub(crate) struct Server {
    connection: Connection,
    protocol: Protocol,
}

/// What interrupts a conversation from another thread.
pub(crate) enum Interrupt {
    /// Closes the connections of an agent.
    Http(Agent),
    /// Ends a session.
    Ssh(Ender),
}

impl Interrupt {
    /// Interrupts it now.
    pub(crate) fn interrupt(&self) {
        match self {
            Self::Http(agent) => agent.clone().shutdown(),
            Self::Ssh(ender) => ender.end(),
        }
    }
}

impl Server {
    /// The server of `source`. Of one that is known to speak version 2 the greeting is not asked again. The key
    /// of an SSH session lies in `files` while it lasts.
    pub(crate) fn new(
        source: &Source,
        agent: &Agent,
        speaks_two: bool,
        files: PathBuf,
    ) -> Result<Self, Trouble> {
        let connection = if source.url.starts_with("ssh://") {
            let Some(GitCredential::Ssh { key, known_hosts }) = &source.credential else {
                return Err(Trouble::Credential(
                    "SSH takes a key: give `ssh.key` and `ssh.knownHosts`".to_owned(),
                ));
            };
            Connection::Ssh(Ssh::start(&source.url, key, known_hosts, files)?)
        } else {
            let credential = match &source.credential {
                Some(GitCredential::Token { user, secret }) => Some((user.as_str(), secret.as_str())),
                _ => None,
            };
            Connection::Http(Http::new(agent.clone(), &source.url, credential))
        };
        let known = speaks_two && matches!(connection, Connection::Http(_));
        Ok(Self { connection, protocol: if known { Protocol::Two } else { Protocol::Unknown } })
    }

    /// What interrupts this conversation from another thread.
    pub(crate) fn interrupt(&self, agent: &Agent) -> Interrupt {
        match &self.connection {
            Connection::Http(_) => Interrupt::Http(agent.clone()),
            Connection::Ssh(session) => Interrupt::Ssh(session.ender()),
        }
    }

    /// Whether the server turned out to speak version 2.
    pub(crate) fn speaks_two(&self) -> bool {
        matches!(self.protocol, Protocol::Two)
    }

    /// The references whose names begin with one of `prefixes`, those whose names are none in Git left out.
    pub(crate) fn references(&mut self, prefixes: &[String]) -> Result<References, Trouble> {
        let listed = self.list(prefixes);
        let mut found = listed.map_err(|trouble| self.connection.blame(trouble))?;
        let wanted = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
        found.retain(|name, _| wanted(name) && git2::Reference::is_valid_name(name));
        Ok(found)
    }

    fn list(&mut self, prefixes: &[String]) -> Result<References, Trouble> {
        if matches!(self.protocol, Protocol::Two) {
            match self.list_two(prefixes) {
                // The repository may have moved, or the server been replaced by another.
                Err(Trouble::Missing(_) | Trouble::Elsewhere(_) | Trouble::Garbage(_)) => {}
                listed => return listed,
            }
        }
        self.protocol = self.connection.greeting()?;
        match &self.protocol {
            Protocol::Zero(references) => Ok(references.clone()),
            Protocol::Two | Protocol::Unknown => self.list_two(prefixes),
        }
    }

    fn list_two(&mut self, prefixes: &[String]) -> Result<References, Trouble> {
        let mut request = Vec::new();
        packets::line(&mut request, "command=ls-refs");
        request.extend_from_slice(DELIMITER);
        packets::line(&mut request, "peel");
        for prefix in prefixes {
            packets::line(&mut request, &format!("ref-prefix {prefix}"));
        }
        request.extend_from_slice(FLUSH);
        let mut answer = self.connection.ask(&request)?;
        let mut found = References::new();
        while let Packet::Data(line) = packets::read(&mut answer.bytes)? {
            let Some((name, tip)) = listed(&line)? else { continue };
            found.insert(name, tip);
            if found.len() > MAX_REFERENCES {
                return Err(Trouble::Excess(format!("more than {MAX_REFERENCES} references")));
            }
        }
        answer.finish();
        Ok(found)
    }

    /// Asks for a pack with everything that `wants` lead to and `haves` do not, and gives its bytes to `take`.
    pub(crate) fn pack(
        &mut self,
        wants: &BTreeSet<Oid>,
        haves: &BTreeSet<Oid>,
        take: impl FnMut(&[u8]) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let request = match self.protocol {
            Protocol::Zero(_) => request_zero(wants, haves),
            Protocol::Two | Protocol::Unknown => request_two(wants, haves),
        };
        let answered = self.connection.ask(&request).and_then(|mut answer| {
            receive(&mut answer.bytes, take)?;
            answer.finish();
            Ok(())
        });
        answered.map_err(|trouble| self.connection.blame(trouble))
    }
}

impl Connection {
    fn greeting(&mut self) -> Result<Protocol, Trouble> {
        match self {
            Self::Http(http) => {
                let mut answer = Answer { bytes: Box::new(http.greeting()?), ends: true };
                let protocol = greeted(&mut answer.bytes)?;
                answer.finish();
                Ok(protocol)
            }
            Self::Ssh(session) => greeted(session.output()),
        }
    }

    fn ask(&mut self, request: &[u8]) -> Result<Answer<'_>, Trouble> {
        match self {
            Self::Http(http) => Ok(Answer { bytes: Box::new(http.ask(request)?), ends: true }),
            Self::Ssh(session) => {
                session.say(request)?;
                Ok(Answer { bytes: Box::new(session.output()), ends: false })
            }
        }
    }

    fn blame(&mut self, trouble: Trouble) -> Trouble {
        match self {
            Self::Http(_) => trouble,
            Self::Ssh(session) => session.blame(trouble),
        }
    }
}

impl Answer<'_> {
    /// Reads to the end of an answer whose last packet was read: only then its connection is kept.
    fn finish(mut self) {
        if self.ends {
            let _ = std::io::copy(&mut self.bytes.by_ref().take(64), &mut std::io::sink());
        }
    }
}

/// Reads a greeting to its end.
fn greeted(from: &mut impl Read) -> Result<Protocol, Trouble> {
    let mut first = packets::read(from)?;
    if matches!(&first, Packet::Data(line) if line.starts_with(b"# service=git-upload-pack")) {
        packets::read(from)?;
        first = packets::read(from)?;
    }
    let mut references = References::new();
    if !matches!(&first, Packet::Data(_)) {
        // Taken for an empty repository, it would empty the mirror.
        return Err(Trouble::Garbage("it says nothing".to_owned()));
    }
    let mut is_two = false;
    let mut packet = first;
    while let Packet::Data(line) = packet {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches('\n');
        if text == "version 2" {
            is_two = true;
        } else if is_two {
            if text.strip_prefix("object-format=").is_some_and(|format| format != "sha1") {
                return Err(Trouble::Garbage("the repository's object ids are not SHA-1".to_owned()));
            }
        } else if text != "version 1" {
            listed_zero(&mut references, text)?;
        }
        packet = packets::read(from)?;
    }
    Ok(if is_two { Protocol::Two } else { Protocol::Zero(references) })
}

/// One line of version 0's list; the first has the server's abilities after a zero byte.
fn listed_zero(references: &mut References, line: &str) -> Result<(), Trouble> {
    let (line, abilities) = line.split_once('\0').unwrap_or((line, ""));
    let able = abilities.split(' ').any(|ability| ability == "side-band-64k");
    if !able && (references.is_empty() || !abilities.is_empty()) {
        return Err(Trouble::Garbage("the server's Git is too old".to_owned()));
    }
    if line.starts_with("shallow ") {
        return Err(Trouble::Garbage("the server's repository is a shallow copy".to_owned()));
    }
    let wrong = || Trouble::Garbage("a reference is not listed as Git lists it".to_owned());
    let (id, name) = line.split_once(' ').ok_or_else(wrong)?;
    let id = object_id(id).ok_or_else(wrong)?;
    match name.strip_suffix("^{}") {
        Some(tag) => {
            if let Some(tip) = references.get_mut(tag) {
                tip.peeled = Some(id);
            }
        }
        None => {
            references.insert(name.to_owned(), Tip { id, peeled: None });
        }
    }
    if references.len() > MAX_REFERENCES {
        return Err(Trouble::Excess(format!("more than {MAX_REFERENCES} references")));
    }
    Ok(())
}

/// One line of version 2's list; none where the name is not UTF-8, which no configuration can name.
fn listed(line: &[u8]) -> Result<Option<(String, Tip)>, Trouble> {
    let wrong = || Trouble::Garbage("a reference is not listed as Git lists it".to_owned());
    let Ok(text) = std::str::from_utf8(line) else { return Ok(None) };
    let mut words = text.trim_end_matches('\n').split(' ');
    let id = words.next().and_then(object_id).ok_or_else(wrong)?;
    let name = words.next().ok_or_else(wrong)?;
    let peeled = words.find_map(|word| object_id(word.strip_prefix("peeled:")?));
    Ok(Some((name.to_owned(), Tip { id, peeled })))
}

/// Exactly 40 digits: the library below takes shorter ones too.
fn object_id(text: &str) -> Option<Oid> {
    Oid::from_str(text).ok().filter(|_| text.len() == 40)
}

fn request_two(wants: &BTreeSet<Oid>, haves: &BTreeSet<Oid>) -> Vec<u8> {
    let mut request = Vec::new();
    packets::line(&mut request, "command=fetch");
    request.extend_from_slice(DELIMITER);
    for ability in ["thin-pack", "ofs-delta", "no-progress"] {
        packets::line(&mut request, ability);
    }
    for want in wants {
        packets::line(&mut request, &format!("want {want}"));
    }
    for have in haves {
        packets::line(&mut request, &format!("have {have}"));
    }
    packets::line(&mut request, "done");
    request.extend_from_slice(FLUSH);
    request
}

fn request_zero(wants: &BTreeSet<Oid>, haves: &BTreeSet<Oid>) -> Vec<u8> {
    let mut request = Vec::new();
    for (at, want) in wants.iter().enumerate() {
        let abilities = if at == 0 { " thin-pack ofs-delta side-band-64k no-progress" } else { "" };
        packets::line(&mut request, &format!("want {want}{abilities}"));
    }
    request.extend_from_slice(FLUSH);
    for have in haves {
        packets::line(&mut request, &format!("have {have}"));
    }
    packets::line(&mut request, "done");
    request
}

/// Reads what comes before a pack, and then the pack.
fn receive(from: &mut impl Read, mut take: impl FnMut(&[u8]) -> Result<(), Trouble>) -> Result<(), Trouble> {
    loop {
        match packets::read(from)? {
            Packet::Data(line) => match line.split_first() {
                Some((1, data)) => take(data)?,
                Some((2, _)) => {}
                Some((3, text)) => return Err(packets::told(&String::from_utf8_lossy(text))),
                _ if line.starts_with(b"packfile")
                    || line.starts_with(b"NAK")
                    || line.starts_with(b"ACK ") => {}
                _ => return Err(Trouble::Garbage("what comes is not a pack".to_owned())),
            },
            Packet::Delimiter => {}
            Packet::Flush | Packet::ResponseEnd => return Ok(()),
        }
    }
}
