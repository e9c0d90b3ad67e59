//! Who at the clinic is told of patients, and whether patients can answer at all.

use super::contacts::{contact_number, known_conversation};
use super::patient::Tables;
use super::records::Address;
use super::{Store, StoreError};
use crate::engine::StaffMember;
use jiff::Timestamp;

/// The clinic's side of all talks. It comes from the configuration and is kept in memory only.
#[derive(Clone, Debug, Default)]
pub(super) struct Desk {
    /// Whether patients can answer over the channel.
    pub answers: bool,
    pub members: Vec<StaffMember>,
    /// Name and contact number of those that can be told.
    pub contacts: Vec<(String, u32)>,
}

impl Desk {
    /// The contact of a member of staff.
    pub fn contact(&self, name: &str) -> Option<u32> {
        let known = self.contacts.iter().find(|(known, _)| known == name);
        known.map(|(_, contact)| *contact)
    }

    /// A contact refuses what is sent there, or is heard again.
    pub fn note_refusal(&mut self, contact: u32, refuses: bool) {
        let named = self.contacts.iter().filter(|(_, it)| *it == contact);
        for (name, _) in named {
            for member in self.members.iter_mut().filter(|it| it.name == *name) {
                member.refuses = refuses;
            }
        }
    }

    /// How many members of staff refuse what is sent to them.
    pub fn refusing(&self) -> usize {
        self.members.iter().filter(|it| it.refuses).count()
    }

    /// The name of a contact's member of staff.
    pub fn name(&self, contact: u32) -> Option<&str> {
        let known = self.contacts.iter().find(|(_, known)| *known == contact);
        known.map(|(name, _)| name.as_str())
    }
}

impl Store {
    /// Says who is told of patients from now on, and whether patients can answer.
    ///
    /// # Errors
    /// The transaction failed: as before.
    pub async fn set_desk(
        &self,
        now: Timestamp,
        answers: bool,
        staff: Vec<(StaffMember, Option<Address>)>,
    ) -> Result<(), StoreError> {
        let (members, addresses): (Vec<_>, Vec<_>) = staff.into_iter().unzip();
        let names: Vec<String> = members.iter().map(|it| it.name.clone()).collect();
        let (contacts, refusing) = if addresses.iter().all(Option::is_none) {
            (Vec::new(), Vec::new())
        } else {
            self.write(now, move |scope| {
                let mut tables = Tables::open(scope.transaction)?;
                let (mut contacts, mut refusing) = (Vec::new(), Vec::new());
                for (name, address) in names.into_iter().zip(addresses) {
                    if let Some(address) = address {
                        let contact = contact_number(scope, &mut tables, &address)?;
                        if known_conversation(scope, contact)?.is_some_and(|it| it.refuses) {
                            refusing.push(contact);
                        }
                        contacts.push((name, contact));
                    }
                }
                Ok((contacts, refusing))
            })
            .await?
        };
        let reachable = |it: &StaffMember| contacts.iter().any(|(name, _)| *name == it.name);
        let mut desk = Desk {
            answers,
            members: members.into_iter().filter(reachable).collect(),
            contacts,
        };
        for contact in refusing {
            desk.note_refusal(contact, true);
        }
        self.remember_desk(desk).await
    }
}
