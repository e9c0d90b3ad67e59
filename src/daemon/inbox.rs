//! What contacts send: taken in groups, committed before anybody is told that it was taken.

use super::clock::Clock;
use super::dispatcher::Notice;
use super::shared::Shared;
use crate::engine::{Delivery, Reply};
use crate::messaging::wechat::callback::{
    self as wechat, DeliveryStatus, Event, Inbound, InboundKind, InboundResult, Kind, Unavailable,
};
use crate::plan::{Language, Zone};
use crate::store::{Address, Pushed, StoreError, Talk, What};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Those that come within this share a commit.
const LINGER: Duration = Duration::from_millis(2);

/// At most so many share one.
const BATCH_MAX: usize = 256;

/// More than this wait for no commit: the platform sends again.
const WAITING_MAX: usize = 4_096;

/// The channel's name in addresses.
const WECHAT: &str = "wechat";

struct Arrival {
    pushed: Pushed,
    kind: InboundKind,
    answer: oneshot::Sender<Result<Option<String>, Unavailable>>,
}

/// The door through which pushes come in.
pub struct Inbox {
    shared: Arc<Shared>,
    arrivals: mpsc::Sender<Arrival>,
}

/// The task behind the door.
pub struct Sorter {
    shared: Arc<Shared>,
    arrivals: mpsc::Receiver<Arrival>,
}

/// A door and what is behind it.
#[must_use]
pub fn open(shared: &Arc<Shared>) -> (Inbox, Sorter) {
    let (to_sorter, arrivals) = mpsc::channel(WAITING_MAX);
    let inbox = Inbox {
        shared: Arc::clone(shared),
        arrivals: to_sorter,
    };
    let sorter = Sorter {
        shared: Arc::clone(shared),
        arrivals,
    };
    (inbox, sorter)
}

impl wechat::Inbox for Inbox {
    fn receive(&self, inbound: Inbound) -> BoxFuture<'_, Result<Option<String>, Unavailable>> {
        Box::pin(async move {
            let kind = InboundKind::of(&inbound.kind);
            let Some(pushed) = pushed(inbound) else {
                // Nothing follows from it, however often it comes.
                self.count(kind, InboundResult::Accepted);
                return Ok(None);
            };
            let (answer, answered) = oneshot::channel();
            let arrival = Arrival {
                pushed,
                kind,
                answer,
            };
            self.arrivals.try_send(arrival).map_err(|_| Unavailable)?;
            answered.await.map_err(|_| Unavailable)?
        })
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    fn count(&self, kind: InboundKind, result: InboundResult) {
        self.shared.metrics.came_in(kind, result);
    }
}

/// Waits for the next, and for a moment for those that come with it: they share a commit. Empty when
/// no more can come.
pub(super) async fn gather<T>(arrivals: &mut mpsc::Receiver<T>, clock: &dyn Clock) -> Vec<T> {
    let mut batch = Vec::new();
    if arrivals.recv_many(&mut batch, BATCH_MAX).await > 0 {
        clock.sleep(LINGER).await;
        while batch.len() < BATCH_MAX
            && let Ok(one) = arrivals.try_recv()
        {
            batch.push(one);
        }
    }
    batch
}

impl Sorter {
    /// Takes what comes until the door is gone, which is when the public listener has ended: who was
    /// let in is answered. `bell` wakes the scheduler: an answer may bring a wake forward.
    pub async fn run(
        mut self,
        dispatcher: mpsc::UnboundedSender<Notice>,
        bell: Arc<Notify>,
        stop: CancellationToken,
    ) {
        loop {
            let batch = gather(&mut self.arrivals, self.shared.clock.as_ref()).await;
            if batch.is_empty() {
                // Where no callback is served the door is gone from the start, and nothing is wrong.
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
        let limits = Arc::clone(&shared.outlet().limits);
        let pushes = batch.iter().map(|it| it.pushed.clone()).collect();
        let received = shared
            .store
            .receive(now, pushes, shared.talk(now), limits, shared.day(now));
        match received.await {
            Ok(received) => {
                shared.metrics.closed(&received.tally);
                shared.vitals.closed(&received.tally);
                if !received.queued.is_empty() {
                    // What does not arrive there any more is in the store.
                    let _ = dispatcher.send(Notice::Queued(received.queued));
                }
                bell.notify_one();
                let answers = received.answers.into_iter().zip(received.repeated);
                for (arrival, (answer, repeated)) in batch.into_iter().zip(answers) {
                    if !repeated {
                        self.leave_alone(&arrival.pushed, now);
                    }
                    let result = if repeated {
                        InboundResult::Duplicate
                    } else {
                        InboundResult::Accepted
                    };
                    shared.metrics.came_in(arrival.kind, result);
                    // Whoever asked has waited for too long: the next push is answered.
                    let _ = arrival.answer.send(Ok(answer));
                }
                true
            }
            Err(error) => {
                tracing::error!(%error, "what came in cannot be stored; the platform sends again");
                for arrival in batch {
                    let _ = arrival.answer.send(Err(Unavailable));
                }
                !matches!(error, StoreError::Closed)
            }
        }
    }
}

impl Sorter {
    /// A recipient who got too much is left alone for a while.
    fn leave_alone(&self, pushed: &Pushed, now: Timestamp) {
        if let What::Reported {
            delivery: Delivery::TooMany,
            ..
        } = pushed.what
        {
            let address = Arc::from(pushed.address.address.as_str());
            self.shared.recipients().refused(&address, now, now);
        }
    }
}

/// What follows for a patient from what came in; `None` for what says nothing of one.
fn pushed(inbound: Inbound) -> Option<Pushed> {
    let media = |kind, id: String| What::Media { kind, id };
    let what = match inbound.kind {
        Kind::Text {
            content,
            menu_id: Some(_),
        } => What::Tapped(content),
        Kind::Text { content, .. } => What::Words(content),
        Kind::Image { media_id } => media("image", media_id),
        Kind::Voice { media_id } => media("voice", media_id),
        Kind::Video => media("video", String::new()),
        Kind::ShortVideo => media("shortvideo", String::new()),
        Kind::Location => media("location", String::new()),
        Kind::Link => media("link", String::new()),
        Kind::Event(Event::Subscribe { scene }) => What::Followed { secret: scene },
        Kind::Event(Event::Scan { scene }) => What::Scanned { secret: scene },
        Kind::Event(Event::Unsubscribe) => What::Unfollowed,
        Kind::Event(Event::Click { .. }) => What::Acted,
        Kind::Event(Event::TemplateSendJobFinish { msgid, status }) => What::Reported {
            number: msgid,
            delivery: delivery(status),
        },
        Kind::Event(_) | Kind::Other => return None,
    };
    Some(Pushed {
        address: Address {
            channel: WECHAT.to_owned(),
            address: inbound.contact,
        },
        dedupe_key: inbound.dedupe_key.0,
        what,
    })
}

fn delivery(status: DeliveryStatus) -> Delivery {
    match status {
        DeliveryStatus::Success => Delivery::Arrived,
        DeliveryStatus::UserBlock => Delivery::Refused,
        DeliveryStatus::FreqLimit => Delivery::TooMany,
        DeliveryStatus::SystemFailed | DeliveryStatus::OtherFailed => Delivery::Failed,
    }
}

impl Shared {
    /// What the clinic has set for its talks, as the store's transaction needs it.
    #[must_use]
    pub fn talk(&self, now: Timestamp) -> Talk {
        let outlet = self.outlet();
        let manners = Arc::clone(&outlet.manners);
        let zone = outlet.zone.clone();
        let is_open = manners
            .opening_hours
            .is_none_or(|hours| hours.end_after(now, &zone).is_some());
        Talk {
            red_flags: Arc::clone(&manners.red_flags),
            consent_version: Arc::clone(&manners.consent_version),
            is_open: is_open || manners.clinic.out_of_hours.is_empty(),
            language: manners.language,
            zone: zone.clone(),
            links: self.links.get().cloned(),
            words: Arc::new(move |reply: &Reply, language: Language, zone: &Zone| {
                manners
                    .texts
                    .reply(reply, language, zone, &manners.clinic, now)
            }),
        }
    }
}
