//! Reminders of appointments: each at its instant, useful until the next one or the appointment.

use crate::plan::Appointment;
use jiff::Timestamp;

/// One reminder of an appointment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AppointmentReminder {
    /// When it is due.
    pub due: Timestamp,
    /// It does not leave from here on.
    pub window_ends: Timestamp,
}

/// The reminders due at or after `from`, ascending.
pub(super) fn reminders_from(
    appointment: &Appointment,
    from: Timestamp,
) -> impl Iterator<Item = AppointmentReminder> + '_ {
    let first = appointment.remind.partition_point(|due| *due < from);
    let reminders = &appointment.remind;
    (first..reminders.len()).map(move |index| AppointmentReminder {
        due: reminders[index],
        window_ends: reminders.get(index + 1).copied().unwrap_or(appointment.at),
    })
}
