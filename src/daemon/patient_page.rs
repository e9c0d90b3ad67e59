//! The patients' page between the listener and the store: links are opened here, and what is pressed
//! is committed, in groups, before anybody is told that it was noted.

use super::dispatcher::Notice;
use super::inbox::gather;
use super::shared::Shared;
use crate::engine::{
    Form, FormFault, Link, LinkFault, Links, Millis, Press, PressFault, Reply, Subject,
};
use crate::http::patient_page::{
    NotNoted, Opened, Page, PageResult, PatientPage, Pressed, Refusal,
};
use crate::store::{PressOutcome, PressedForm, StoreError};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// So many requests wait for the store at once; others are told to come again.
const WAITING_MAX: usize = 256;

/// What stands behind the page.
pub struct Pages {
    shared: Arc<Shared>,
    links: Links,
    presses: mpsc::Sender<Arrival>,
    places: Semaphore,
}

/// Something that was pressed; nobody answers where it was not committed.
struct Arrival {
    pressed: PressedForm,
    answer: oneshot::Sender<PressOutcome>,
}

/// The task that commits what is pressed.
pub struct Clerk {
    shared: Arc<Shared>,
    presses: mpsc::Receiver<Arrival>,
}

/// Makes links from now on, if the clinic has an address for them. Reminders do not wait for it:
/// where the store gives no key they go without links.
pub async fn begin(shared: &Shared, public_url: Option<&str>) {
    let Some(base) = public_url else { return };
    match shared.store.link_key(shared.now()).await {
        // Nobody else sets them.
        Ok(key) => drop(shared.links.set(Links::new(key, base))),
        Err(error) => tracing::error!(
            %error,
            "there is no key for links: until the next start messages carry none, and no \
             patient's page opens"
        ),
    }
}

/// What stands behind the page, where there is one, and the task behind that.
#[must_use]
pub fn open(shared: &Arc<Shared>) -> (Option<Pages>, Clerk) {
    let (to_clerk, presses) = mpsc::channel(WAITING_MAX);
    let pages = shared.links.get().map(|links| Pages {
        links: links.clone(),
        shared: Arc::clone(shared),
        presses: to_clerk,
        places: Semaphore::new(WAITING_MAX),
    });
    let clerk = Clerk {
        shared: Arc::clone(shared),
        presses,
    };
    (pages, clerk)
}

impl Clerk {
    /// Commits what is pressed until the page is gone, which is when the public listener has ended:
    /// who was let in is answered. `bell` wakes the scheduler: an answer may bring a wake forward.
    pub async fn run(
        mut self,
        dispatcher: mpsc::UnboundedSender<Notice>,
        bell: Arc<Notify>,
        stop: CancellationToken,
    ) {
        loop {
            let batch = gather(&mut self.presses, self.shared.clock.as_ref()).await;
            if batch.is_empty() {
                // Where no page is served it is gone from the start, and nothing is wrong.
                stop.cancelled().await;
                return;
            }
            if !self.commit(batch, &dispatcher, &bell).await {
                return;
            }
        }
    }

    /// Commits a group and answers each. False when the store is closed.
    async fn commit(
        &self,
        batch: Vec<Arrival>,
        dispatcher: &mpsc::UnboundedSender<Notice>,
        bell: &Notify,
    ) -> bool {
        let shared = &self.shared;
        // What was said is kept at once, also while the clock is in doubt: by the best one known.
        let now = shared.now();
        let (pressed, answers): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|it| (it.pressed, it.answer)).unzip();
        let limits = Arc::clone(&shared.outlet().limits);
        let day = shared.day(now);
        let done = shared
            .store
            .press(now, pressed, shared.talk(now), limits, day);
        let done = match done.await {
            Ok(done) => done,
            Err(error) => {
                tracing::error!(%error, "what was pressed on a patient's page cannot be stored");
                return !matches!(error, StoreError::Closed);
            }
        };
        shared.metrics.closed(&done.tally);
        shared.vitals.closed(&done.tally);
        if !done.queued.is_empty() {
            // What does not arrive there any more is in the store.
            let _ = dispatcher.send(Notice::Queued(done.queued));
        }
        bell.notify_one();
        for (outcome, answer) in done.outcomes.into_iter().zip(answers) {
            // Whoever pressed has waited for too long: pressed again it is answered.
            let _ = answer.send(outcome);
        }
        true
    }
}

impl Pages {
    fn link(&self, sealed: &str) -> Result<Link, Refusal> {
        let opened = self.links.key().open(sealed, self.shared.now());
        opened.map_err(|fault| match fault {
            LinkFault::Foreign => Refusal::Unknown,
            LinkFault::Expired => Refusal::Expired,
        })
    }

    async fn page(&self, link: Link) -> Opened {
        let now = self.shared.now();
        match self.shared.store.sheet(now, link).await {
            Ok(Some(sheet)) => {
                let key = self.links.key().clone();
                let shown = Millis(now);
                let seal = move |subject: &Subject| {
                    let form = Form {
                        shown,
                        subject: subject.clone(),
                    };
                    key.seal_form(&link, &form)
                };
                let manners = Arc::clone(&self.shared.outlet().manners);
                Opened::Page(Box::new(Page {
                    sheet,
                    seal: Box::new(seal),
                    clinic: manners.clinic.name.clone(),
                    emergency_number: manners.clinic.emergency_number.clone(),
                }))
            }
            Ok(None) => Opened::Refused(Refusal::Unknown),
            Err(error) => {
                tracing::error!(%error, "a patient's page cannot be shown");
                Opened::Unavailable
            }
        }
    }

    async fn noted(&self, link: Link, form: &str, press: Press) -> Pressed {
        let now = self.shared.now();
        let (form, id) = match self.links.key().open_form(&link, form, now) {
            Ok(opened) => opened,
            Err(fault) => {
                let why = match fault {
                    FormFault::Foreign => NotNoted::Foreign,
                    FormFault::Old => NotNoted::Old,
                };
                return self.not_noted(link, why).await;
            }
        };
        let pressed = PressedForm {
            link,
            form: id,
            shown: form.shown.0,
            subject: form.subject,
            press,
        };
        let (answer, answered) = oneshot::channel();
        if self.presses.try_send(Arrival { pressed, answer }).is_err() {
            return Pressed::Unavailable;
        }
        let Ok(outcome) = answered.await else {
            return Pressed::Unavailable;
        };
        match outcome {
            PressOutcome::Noted(said) => {
                let page = self.page(link).await;
                Pressed::Noted(said, of_opened(page))
            }
            PressOutcome::UsedUp => self.not_noted(link, NotNoted::Old).await,
            PressOutcome::NoPage => Pressed::Refused(Refusal::Unknown),
            PressOutcome::Refused(fault) => self.refused(link, fault).await,
        }
    }

    async fn not_noted(&self, link: Link, why: NotNoted) -> Pressed {
        match self.page(link).await {
            Opened::Refused(refusal) => Pressed::Refused(refusal),
            page => Pressed::NotNoted(why, of_opened(page)),
        }
    }

    async fn refused(&self, link: Link, fault: PressFault) -> Pressed {
        let (ask, answer) = match fault {
            PressFault::NotOpen => return self.not_noted(link, NotNoted::NotOpen).await,
            PressFault::Foreign => return self.not_noted(link, NotNoted::Foreign).await,
            PressFault::TooLong => return self.not_noted(link, NotNoted::TooLong).await,
            PressFault::NotThen => return self.not_noted(link, NotNoted::NotThen).await,
            PressFault::Unreadable { ask, answer } => (ask, answer),
        };
        match self.page(link).await {
            Opened::Refused(refusal) => Pressed::Refused(refusal),
            Opened::Unavailable => Pressed::NotNoted(NotNoted::Old, None),
            Opened::Page(page) => {
                // In the words of the talk.
                let reply = Reply::Unreadable { ask, answer };
                let talk = self.shared.talk(page.sheet.now);
                let how = (talk.words)(&reply, page.sheet.language, &page.sheet.zone);
                Pressed::NotNoted(NotNoted::Unreadable(how), Some(page))
            }
        }
    }
}

impl PatientPage for Pages {
    fn check(&self, link: &str) -> Result<(), Refusal> {
        self.link(link).map(|_| ())
    }

    fn open<'a>(&'a self, link: &'a str) -> BoxFuture<'a, Opened> {
        Box::pin(async move {
            let link = match self.link(link) {
                Ok(link) => link,
                Err(refusal) => return Opened::Refused(refusal),
            };
            let Ok(_place) = self.places.try_acquire() else {
                return Opened::Unavailable;
            };
            self.page(link).await
        })
    }

    fn press<'a>(&'a self, link: &'a str, form: &'a str, press: Press) -> BoxFuture<'a, Pressed> {
        Box::pin(async move {
            let link = match self.link(link) {
                Ok(link) => link,
                Err(refusal) => return Pressed::Refused(refusal),
            };
            let Ok(_place) = self.places.try_acquire() else {
                return Pressed::Unavailable;
            };
            self.noted(link, form, press).await
        })
    }

    fn count(&self, result: PageResult) {
        self.shared.metrics.page_asked(result);
    }
}

fn of_opened(opened: Opened) -> Option<Box<Page>> {
    match opened {
        Opened::Page(page) => Some(page),
        Opened::Refused(_) | Opened::Unavailable => None,
    }
}
