//! Contacts: addresses on a channel, whom they belong to, and the talk with each.

use super::StoreError;
use super::patient::Tables;
use super::records::{
    Address, CONTACT_NUMBERS, CONTACT_PATIENTS, CONTACTS, CONVERSATIONS, ContactRole, Contacts,
    FORMER_CONTACTS, UNFOLLOWED, decode, encode,
};
use super::writer::Scope;
use crate::engine::{Consent, Conversation, ExpiredReason, IdKey, Teller};
use crate::plan::Language;
use redb::ReadableTable;

/// The number of an address, given out when it is first seen. One whose owner has stopped
/// following keeps its number and is not written down again until they follow.
pub(super) fn contact_number(
    scope: &Scope<'_>,
    tables: &mut Tables<'_>,
    address: &Address,
) -> Result<u32, StoreError> {
    let unfollowed = scope.transaction.open_table(UNFOLLOWED)?;
    let known = unfollowed.get(&hash(scope.ids, address))?;
    if let Some(number) = known.map(|row| row.value()) {
        return Ok(number);
    }
    drop(unfollowed);
    number_of(scope, tables, address)
}

/// The same for an address whose owner has just been heard.
pub(super) fn number_of(
    scope: &Scope<'_>,
    tables: &mut Tables<'_>,
    address: &Address,
) -> Result<u32, StoreError> {
    let mut numbers = scope.transaction.open_table(CONTACT_NUMBERS)?;
    let key = address.index_key();
    if let Some(row) = numbers.get(key.as_str())? {
        return Ok(row.value());
    }
    let hash = hash(scope.ids, address);
    let mut unfollowed = scope.transaction.open_table(UNFOLLOWED)?;
    let back = unfollowed.remove(&hash)?.map(|row| row.value());
    let number = match (back, tables.contacts.last()?) {
        (Some(number), _) => number,
        (None, Some((last, _))) => last
            .value()
            .checked_add(1)
            .ok_or(StoreError::Exhausted("contact"))?,
        (None, None) => 1,
    };
    tables
        .contacts
        .insert(number, encode(address)?.as_slice())?;
    numbers.insert(key.as_str(), number)?;
    Ok(number)
}

/// Deletes an address whose owner has stopped following, as the platform demands: what is left
/// is a keyed hash that says whose it was if they come back.
pub(super) fn delete_address(
    scope: &Scope<'_>,
    tables: &mut Tables<'_>,
    contact: u32,
    address: &Address,
) -> Result<(), StoreError> {
    let mut numbers = scope.transaction.open_table(CONTACT_NUMBERS)?;
    numbers.remove(address.index_key().as_str())?;
    let mut unfollowed = scope.transaction.open_table(UNFOLLOWED)?;
    unfollowed.insert(&hash(scope.ids, address), contact)?;
    let nobody = Address {
        channel: address.channel.clone(),
        address: String::new(),
    };
    tables
        .contacts
        .insert(contact, encode(&nobody)?.as_slice())?;
    Ok(())
}

/// What stands for an address where the address itself must not stand.
pub(super) fn mask(ids: &IdKey, address: &str) -> String {
    let hash = ids.hash([&b"mask"[..], address.as_bytes()]);
    hash.iter().fold(String::from("#"), |mut text, byte| {
        use std::fmt::Write as _;
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn hash(ids: &IdKey, address: &Address) -> [u8; 16] {
    ids.hash([
        &b"address"[..],
        address.channel.as_bytes(),
        address.address.as_bytes(),
    ])
}

/// The talk with a contact; a new one where there was none, or where it cannot be read.
pub(super) fn conversation(
    scope: &mut Scope<'_>,
    contact: u32,
    language: Language,
) -> Result<Conversation, StoreError> {
    let conversations = scope.transaction.open_table(CONVERSATIONS)?;
    let row = conversations.get(contact)?;
    let Some(row) = row else {
        return Ok(Conversation::new(language));
    };
    decode(&CONVERSATIONS, row.value()).or_else(|_| {
        let met = ("conversations", u64::from(contact));
        scope.effects.unreadable.push(met);
        Ok(Conversation::new(language))
    })
}

/// The talk with a contact, where there is one that can be read.
pub(super) fn known_conversation(
    scope: &Scope<'_>,
    contact: u32,
) -> Result<Option<Conversation>, StoreError> {
    let conversations = scope.transaction.open_table(CONVERSATIONS)?;
    let row = conversations.get(contact)?;
    Ok(row.and_then(|row| decode(&CONVERSATIONS, row.value()).ok()))
}

pub(super) fn save_conversation(
    scope: &Scope<'_>,
    contact: u32,
    conversation: &Conversation,
) -> Result<(), StoreError> {
    let mut conversations = scope.transaction.open_table(CONVERSATIONS)?;
    conversations.insert(contact, encode(conversation)?.as_slice())?;
    Ok(())
}

/// The plan names the contact: the clinic attests that messages may go there. Where no talk has
/// begun that stands in the plan alone.
pub(super) fn attest(scope: &mut Scope<'_>, contact: u32) -> Result<(), StoreError> {
    let known = known_conversation(scope, contact)?;
    // Whoever has said no has said no.
    let open = |it: &Conversation| matches!(it.consent, Consent::NotAsked | Consent::Asked);
    if let Some(mut known) = known.filter(open) {
        known.consent = Consent::Attested;
        save_conversation(scope, contact, &known)?;
    }
    Ok(())
}

/// Why no medical message may go to a contact. Where no talk has begun the clinic has named it.
pub(super) fn bars(scope: &Scope<'_>, contact: u32) -> Result<Option<ExpiredReason>, StoreError> {
    Ok(known_conversation(scope, contact)?.and_then(|it| it.bars()))
}

/// The patients of a contact, and what it is to each.
pub(super) fn patients_of(
    scope: &Scope<'_>,
    contact: u32,
) -> Result<Vec<(u32, ContactRole)>, StoreError> {
    let table = scope.transaction.open_table(CONTACT_PATIENTS)?;
    let mut patients = Vec::new();
    for row in table.range((contact, 0)..=(contact, u32::MAX))? {
        let (key, role) = row?;
        if let Ok(role) = decode(&CONTACT_PATIENTS, role.value()) {
            patients.push((key.value().1, role));
        }
    }
    Ok(patients)
}

pub(super) fn bind(
    scope: &Scope<'_>,
    contact: u32,
    patient: u32,
    role: Teller,
    attested: bool,
) -> Result<(), StoreError> {
    let mut table = scope.transaction.open_table(CONTACT_PATIENTS)?;
    let role = ContactRole { role, attested };
    table.insert((contact, patient), encode(&role)?.as_slice())?;
    Ok(())
}

/// Lets a contact go that was bound in one way. Where the patient names it in another way it stays
/// bound in that: `attested` is the contact that the plan in force names, `contacts` are those of
/// the patient's record.
pub(super) fn let_go(
    scope: &Scope<'_>,
    contact: u32,
    patient: u32,
    attested: Option<u32>,
    contacts: &Contacts,
) -> Result<(), StoreError> {
    if attested == Some(contact) || contacts.bound == Some(contact) {
        let by_plan = attested == Some(contact);
        return bind(scope, contact, patient, Teller::Patient, by_plan);
    }
    let caregiver = contacts.caregivers.iter().find(|it| it.contact == contact);
    if let Some(caregiver) = caregiver {
        let role = Teller::Caregiver(caregiver.id.clone());
        return bind(scope, contact, patient, role, caregiver.attested);
    }
    let mut table = scope.transaction.open_table(CONTACT_PATIENTS)?;
    table.remove((contact, patient))?;
    // Whoever erases the patient finds this address, too.
    let mut former = scope.transaction.open_table(FORMER_CONTACTS)?;
    former.insert((patient, contact), ())?;
    Ok(())
}

/// The address of a contact; `None` when it was deleted or cannot be read.
pub(super) fn address_of(tables: &Tables<'_>, contact: u32) -> Result<Option<Address>, StoreError> {
    let row = tables.contacts.get(contact)?;
    let address: Option<Address> = row.and_then(|row| decode(&CONTACTS, row.value()).ok());
    Ok(address.filter(|it| !it.address.is_empty()))
}
