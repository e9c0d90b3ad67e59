//! Faults put in on purpose, so that a simulation can show that it would find them.

/// A fault of the kinds that a store could have. Only storage that is no file brings one
/// ([`super::Backing::fault`]): a store that lies in a file has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliberateFault {
    /// What is claimed is settled as accepted before it is sent.
    SettleBeforeSend,
    /// What was claimed before a restart is not looked at again.
    ForgetOutbox,
    /// What was accepted is sent again a while later.
    RearmSent,
    /// Messages may leave long after their window.
    IgnoreWindow,
    /// What is sent again after an unknown outcome has a new id.
    NewIdOnResend,
    /// A push that comes again is taken again.
    ForgetInbound,
    /// What an answer withdraws leaves all the same.
    KeepAnswered,
}

impl DeliberateFault {
    /// All of them.
    pub const ALL: [DeliberateFault; 7] = [
        DeliberateFault::SettleBeforeSend,
        DeliberateFault::ForgetOutbox,
        DeliberateFault::RearmSent,
        DeliberateFault::IgnoreWindow,
        DeliberateFault::NewIdOnResend,
        DeliberateFault::ForgetInbound,
        DeliberateFault::KeepAnswered,
    ];
}
