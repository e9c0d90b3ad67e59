//! The clinic's side of all talks: who is told of patients, and whether patients can answer. It
//! comes from the configuration, and the store has it before anything comes in or leaves: what
//! follows from a patient's words depends on it.

use super::config::{Channel, Config, Staff};
use super::shared::Shared;
use crate::store::{Address, StoreError};
use std::time::Duration;

/// After a failure the store is left alone for this.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// What the store was told last.
#[derive(Default)]
pub struct Desk {
    told: Option<(bool, Vec<Staff>)>,
}

impl Desk {
    /// Tells the store at the start, and waits for a disk that fails.
    ///
    /// # Errors
    /// The store is closed, or could not be opened again.
    pub async fn begin(shared: &Shared, config: &Config) -> Result<Self, StoreError> {
        let mut desk = Self::default();
        loop {
            match desk.tell(shared, config).await {
                Ok(()) => return Ok(desk),
                Err(StoreError::Closed) => return Err(StoreError::Closed),
                Err(error) if shared.store.telemetry().lost() => return Err(error),
                Err(error) => {
                    tracing::error!(%error, "who is told of patients cannot be noted");
                    shared.clock.sleep(STORE_PAUSE).await;
                }
            }
        }
    }

    /// Tells the store, where it has changed.
    ///
    /// # Errors
    /// The transaction failed: as before.
    pub async fn tell(&mut self, shared: &Shared, config: &Config) -> Result<(), StoreError> {
        let is_wechat = matches!(config.messaging.channel, Channel::WeChat(_));
        let answers = config.takes_answers();
        let told = Some((answers, config.talk.staff.clone()));
        if self.told == told {
            return Ok(());
        }
        let address = |openid: &String| Address {
            channel: "wechat".to_owned(),
            address: openid.clone(),
        };
        let staff = config.talk.staff.iter().map(|it| {
            let address = it.wechat.as_ref().filter(|_| is_wechat).map(address);
            (it.member.clone(), address)
        });
        shared
            .store
            .set_desk(shared.now(), answers, staff.collect())
            .await?;
        self.told = told;
        Ok(())
    }
}
