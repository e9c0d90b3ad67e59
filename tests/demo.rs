//! `dosed demo` as a newcomer runs it: the built binary, its page, its end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

/// Far longer than anything here takes; a demo that hangs fails the test instead of blocking it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running demo whose temporary files land below a directory of the test.
struct Demo {
    process: Child,
    stdout: BufReader<ChildStdout>,
    page: SocketAddr,
}

impl Demo {
    fn start(temporary: &Path, arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_dosed"))
            .arg("demo")
            .args(arguments)
            .env("TMPDIR", temporary)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut stdout = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let mut first = String::new();
        stdout.read_line(&mut first).expect("stdout is text");
        let page = first
            .split_once("http://")
            .and_then(|(_, rest)| rest.trim_end().trim_end_matches('/').parse().ok());
        let Some(page) = page else {
            let mut errors = String::new();
            let mut stderr = process.stderr.take().expect("stderr is piped");
            stderr.read_to_string(&mut errors).expect("stderr is text");
            panic!("the first line is no address: {first:?}\n{errors}");
        };
        Self {
            process,
            stdout,
            page,
        }
    }

    /// The answer of the page's server, as it comes.
    fn get(&self, path: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(self.page).expect("the page's server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
            self.page
        )
        .expect("the request is taken");
        BufReader::new(stream)
    }

    /// Somebody writes on their phone.
    fn write(&self, openid: &str, text: &str) {
        let mut stream = TcpStream::connect(self.page).expect("the page's server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let body = format!(r#"{{"openid":"{openid}","do":"write","text":"{text}"}}"#);
        write!(
            stream,
            "POST /phone/do HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            self.page,
            body.len()
        )
        .expect("the request is taken");
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .expect("the answer is text");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Waits for a message on a phone that holds all these words.
    fn wait_for(&self, openid: &str, words: &[&str]) {
        let to = format!("\"to\":\"{openid}\"");
        self.get("/phone/events")
            .lines()
            .map(|line| line.expect("the stream is text"))
            .find(|line| line.contains(&to) && words.iter().all(|word| line.contains(word)))
            .expect("the stream goes on");
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(id, signal).expect("the demo runs");
    }

    /// Waits for the end: the status and what was said on stderr.
    fn end(mut self) -> (ExitStatus, String) {
        let mut rest = String::new();
        self.stdout
            .read_to_string(&mut rest)
            .expect("stdout is text");
        let mut errors = String::new();
        let mut stderr = self.process.stderr.take().expect("stderr is piped");
        stderr.read_to_string(&mut errors).expect("stderr is text");
        let status = self.process.wait().expect("the demo is our child");
        (status, errors)
    }
}

fn entries(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("the directory is there");
    entries
        .map(|entry| {
            let name = entry.expect("an entry").file_name();
            name.to_string_lossy().into_owned()
        })
        .collect()
}

#[test]
fn reminders_arrive_on_the_page_and_the_end_leaves_nothing_behind() {
    use rustix::process::Signal;
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let temporary = tempfile::tempdir().expect("a directory");
        let demo = Demo::start(temporary.path(), &["--listen", "127.0.0.1:0"]);

        let head = demo
            .get("/")
            .lines()
            .next()
            .expect("an answer")
            .expect("text");
        assert_eq!(head, "HTTP/1.1 200 OK");

        // The first of the day are due at eight, ten seconds of the demo's clock after its start.
        let message = demo
            .get("/phone/events")
            .lines()
            .map(|line| line.expect("the stream is text"))
            .find(|line| line.starts_with("data: ") && line.contains("\"kind\":\"card\""))
            .expect("the stream goes on");
        assert!(message.contains("08:00"), "{message}");

        assert_eq!(entries(temporary.path()).len(), 1, "one directory of files");
        demo.signal(signal);
        let (status, errors) = demo.end();
        assert_eq!(status.code(), Some(0), "{signal:?}: {errors}");
        assert_eq!(errors, "", "nothing went wrong");
        assert_eq!(
            entries(temporary.path()),
            Vec::<String>::new(),
            "{signal:?}"
        );
    }
}

#[test]
fn what_is_answered_on_a_phone_is_confirmed_there_and_what_cannot_wait_is_on_the_doctors() {
    let temporary = tempfile::tempdir().expect("a directory");
    let demo = Demo::start(temporary.path(), &["--listen", "127.0.0.1:0"]);
    demo.wait_for("o-demo-zhang-jianguo", &["card", "二甲双胍", "08:00"]);
    demo.write("o-demo-zhang-jianguo", "1");
    demo.wait_for(
        "o-demo-zhang-jianguo",
        &["记下了", "08:00 二甲双胍", "已服用"],
    );
    demo.write("o-demo-emma-miller", "I have chest pain");
    demo.wait_for("o-demo-emma-miller", &["urgent", "120"]);
    demo.wait_for("o-demo-dr-hao", &["card", "Emma Miller", "chest pain"]);
    demo.signal(rustix::process::Signal::INT);
    let (status, errors) = demo.end();
    assert_eq!(status.code(), Some(0), "{errors}");
    assert_eq!(errors, "", "nothing went wrong");
    assert_eq!(entries(temporary.path()), Vec::<String>::new());
}

#[test]
fn a_taken_port_is_left_alone_unless_it_was_asked_for() {
    // If this fails, somebody else has it: all the same to the demo.
    let taken = TcpListener::bind("127.0.0.1:8390");
    let temporary = tempfile::tempdir().expect("a directory");
    let demo = Demo::start(temporary.path(), &[]);
    assert_ne!(demo.page.port(), 8390);
    demo.signal(rustix::process::Signal::TERM);
    let (status, errors) = demo.end();
    assert_eq!(status.code(), Some(0));
    assert!(errors.contains("127.0.0.1:8390 is taken"), "{errors}");
    drop(taken);

    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_dosed"))
        .args(["demo", "--listen", &address])
        .env("TMPDIR", temporary.path())
        .output()
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(73));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains(&address), "{errors}");
    assert_eq!(output.stdout, b"");
    assert_eq!(entries(temporary.path()), Vec::<String>::new());
}
