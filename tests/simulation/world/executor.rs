//! Runs the daemon's tasks on one thread, in an order that the seed chooses.

use super::dice::Dice;
use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tasks of one process. Dropping it kills them where they stand.
#[derive(Default)]
pub struct Executor {
    tasks: Vec<Option<(Task, Waker)>>,
    ready: Arc<Mutex<BTreeSet<usize>>>,
}

struct Bell {
    task: usize,
    ready: Arc<Mutex<BTreeSet<usize>>>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        ready.insert(self.task);
    }
}

impl Executor {
    pub fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        let bell = Arc::new(Bell {
            task: self.tasks.len(),
            ready: Arc::clone(&self.ready),
        });
        bell.wake_by_ref();
        self.tasks.push(Some((Box::pin(task), Waker::from(bell))));
    }

    /// Polls one task that is ready. False when none is.
    pub fn turn(&mut self, dice: &mut Dice) -> bool {
        let task = {
            let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
            let chosen = dice.below(ready.len() as u64) as usize;
            let Some(task) = ready.iter().nth(chosen).copied() else {
                return false;
            };
            ready.remove(&task);
            task
        };
        if let Some((future, waker)) = &mut self.tasks[task]
            && let Poll::Ready(()) = future.as_mut().poll(&mut Context::from_waker(waker))
        {
            self.tasks[task] = None;
        }
        true
    }

    /// How many tasks have not ended.
    pub fn running(&self) -> usize {
        self.tasks.iter().flatten().count()
    }
}
