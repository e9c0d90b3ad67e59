//! The lanes in which transactions wait for the writer's thread: the urgent ones pass the others.

use super::writer::Writer;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Work for the writer.
pub(super) type Job = Box<dyn FnOnce(&mut Writer) + Send>;

/// How much a transaction is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// Messages wait for it that could leave.
    First,
    /// All others, in the order in which they come.
    InTurn,
}

/// The jobs of the write side: those that are urgent, and those that take their turn.
#[derive(Default)]
pub(super) struct Lanes {
    queue: Mutex<Queued>,
    filled: Condvar,
}

#[derive(Default)]
struct Queued {
    first: VecDeque<Job>,
    in_turn: VecDeque<Job>,
    handles: usize,
}

impl Lanes {
    pub fn push(&self, urgency: Urgency, job: Job) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        match urgency {
            Urgency::First => queue.first.push_back(job),
            Urgency::InTurn => queue.in_turn.push_back(job),
        }
        drop(queue);
        self.filled.notify_one();
    }

    /// Waits for the next job; `None` when there is none and no handle is left to bring one.
    pub fn next(&self) -> Option<Job> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let job = queue.first.pop_front();
            if let Some(job) = job.or_else(|| queue.in_turn.pop_front()) {
                return Some(job);
            }
            if queue.handles == 0 {
                return None;
            }
            queue = self
                .filled
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Counts the handles: the thread ends when the last one is gone.
pub(super) struct Handle(pub Arc<Lanes>);

impl Handle {
    pub fn new(lanes: &Arc<Lanes>) -> Self {
        lanes
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .handles += 1;
        Self(Arc::clone(lanes))
    }
}

impl Clone for Handle {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .handles -= 1;
        self.0.filled.notify_one();
    }
}
