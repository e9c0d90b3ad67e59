//! A service manager's end of the notification socket.

use super::PATIENCE;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tokio::net::UnixDatagram;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// One datagram: when it came and what it said, a `KEY=value` a line.
#[derive(Clone, Debug)]
pub struct Said {
    pub at: Instant,
    pub text: String,
}

impl Said {
    pub fn says(&self, line: &str) -> bool {
        self.text.lines().any(|said| said == line)
    }

    pub fn value(&self, key: &str) -> Option<&str> {
        self.text
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
    }
}

/// Keeps everything the daemon says.
pub struct NotifySocket {
    path: PathBuf,
    said: watch::Receiver<Vec<Said>>,
    listener: JoinHandle<()>,
}

impl NotifySocket {
    pub fn bind(path: &Path) -> Self {
        // One name for each daemon of a world; the former one is gone.
        let _ = std::fs::remove_file(path);
        let socket = UnixDatagram::bind(path).expect("a socket in a fresh directory can be bound");
        let (sender, said) = watch::channel(Vec::new());
        let listener = tokio::spawn(async move {
            let mut buffer = vec![0; 65_536];
            while let Ok(length) = socket.recv(&mut buffer).await {
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                sender.send_modify(|said| {
                    said.push(Said {
                        at: Instant::now(),
                        text,
                    });
                });
            }
        });
        Self {
            path: path.to_owned(),
            said,
            listener,
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn all(&self) -> Vec<Said> {
        self.said.borrow().clone()
    }

    /// Waits for the `nth` datagram (from 1) that has the line; false when patience ended first.
    pub async fn wait_for(&self, line: &str, nth: usize) -> bool {
        let mut said = self.said.clone();
        let enough = |said: &Vec<Said>| said.iter().filter(|said| said.says(line)).count() >= nth;
        matches!(
            tokio::time::timeout(PATIENCE, said.wait_for(enough)).await,
            Ok(Ok(_))
        )
    }
}

impl Drop for NotifySocket {
    fn drop(&mut self) {
        self.listener.abort();
    }
}
