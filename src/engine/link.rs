//! Links to a patient's page, and the forms on it: signed with the store's key, so that nobody can
//! make one, change one, or use one patient's for another.

use super::{Message, Recipient, Subject};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::sync::Arc;

/// Where the page is: a link follows.
pub const PAGE_PATH: &str = "/p/";

/// No link is valid for longer.
pub const LINK_LASTS_MAX: SignedDuration = SignedDuration::from_hours(48);

/// A link in an answer is valid for so long, and so is one in a message after its time.
const LINK_LASTS: SignedDuration = SignedDuration::from_hours(24);

/// A form that was shown longer ago is not taken any more: the page has to be opened again.
const FORM_LASTS: SignedDuration = SignedDuration::from_hours(12);

/// A form may be so much younger than nothing: the clock may have been set back a little.
const FORM_AHEAD: SignedDuration = SignedDuration::from_mins(10);

/// The first byte of each link.
const VERSION: u8 = 1;

/// Version, patient, contact, seconds since 1970.
const LINK_BYTES: usize = 1 + 4 + 4 + 4;

/// Of the hash so much stands in a link: half of it, as RFC 2104 allows.
const TAG_BYTES: usize = 16;

/// A link is always so long.
const LINK_CHARACTERS: usize = (LINK_BYTES + TAG_BYTES) * 4 / 3 + 1;

/// A form names at most what one reminder names.
const FORM_CHARACTERS_MAX: usize = 8 * 1024;

/// For whom a link is, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The patient's number.
    pub patient: u32,
    /// The number of the contact to whom it was sent.
    pub contact: u32,
    /// Not valid from here on; whole seconds.
    pub expires: Timestamp,
}

/// Why a link is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkFault {
    /// It was not made here, or has been changed.
    Foreign,
    /// Its time is over.
    Expired,
}

/// What a form on the page is about, and when it was shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Form {
    /// When it was shown.
    pub shown: super::Millis,
    /// What it is about.
    pub subject: Subject,
}

/// What tells one form from all others.
pub type FormId = [u8; TAG_BYTES];

/// Why a form is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormFault {
    /// It was not made here for this patient and contact, or has been changed.
    Foreign,
    /// It was shown too long ago.
    Old,
}

/// The key of links and forms: random, made when it is first needed, kept in the store.
#[derive(Clone)]
pub struct LinkKey(Hmac<Sha256>);

impl std::fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkKey(…)")
    }
}

impl LinkKey {
    /// A key from its 32 random bytes.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "no length is refused")]
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(bytes).expect("HMAC takes a key of any length"))
    }

    /// The link as it stands in an address: 39 letters, digits, `-` and `_`.
    #[must_use]
    pub fn seal(&self, link: &Link) -> String {
        let mut bytes = bytes_of(link).to_vec();
        let mac = self.over(b"dosed link", &[&bytes]);
        bytes.extend_from_slice(&mac.finalize().into_bytes()[..TAG_BYTES]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a link, in a time that does not depend on how much of it is right.
    ///
    /// # Errors
    /// It is not one of ours, or its time is over.
    pub fn open(&self, sealed: &str, now: Timestamp) -> Result<Link, LinkFault> {
        if sealed.len() != LINK_CHARACTERS {
            return Err(LinkFault::Foreign);
        }
        let bytes = URL_SAFE_NO_PAD.decode(sealed);
        let bytes = bytes.map_err(|_| LinkFault::Foreign)?;
        let (said, tag) = bytes
            .split_at_checked(LINK_BYTES)
            .ok_or(LinkFault::Foreign)?;
        self.over(b"dosed link", &[said])
            .verify_truncated_left(tag)
            .map_err(|_| LinkFault::Foreign)?;
        let link = link_of(said).ok_or(LinkFault::Foreign)?;
        if link.expires <= now {
            return Err(LinkFault::Expired);
        }
        // None is made for longer: a clock that was ahead made it.
        if link.expires.duration_since(now) > LINK_LASTS_MAX {
            return Err(LinkFault::Expired);
        }
        Ok(link)
    }

    /// A form as it stands on the page.
    #[must_use]
    pub fn seal_form(&self, link: &Link, form: &Form) -> String {
        // A form is names and instants: it always has a stored form.
        let mut bytes = postcard::to_stdvec(form).unwrap_or_default();
        let tag = self.form_tag(link, &bytes).finalize().into_bytes();
        bytes.extend_from_slice(&tag[..TAG_BYTES]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a form that was sent with a link.
    ///
    /// # Errors
    /// It is not one of ours for the link's patient and contact, or is too old.
    pub fn open_form(
        &self,
        link: &Link,
        sealed: &str,
        now: Timestamp,
    ) -> Result<(Form, FormId), FormFault> {
        if sealed.len() > FORM_CHARACTERS_MAX {
            return Err(FormFault::Foreign);
        }
        let bytes = URL_SAFE_NO_PAD.decode(sealed);
        let bytes = bytes.map_err(|_| FormFault::Foreign)?;
        let said = bytes.len().checked_sub(TAG_BYTES);
        let (said, tag) = bytes.split_at(said.ok_or(FormFault::Foreign)?);
        self.form_tag(link, said)
            .verify_truncated_left(tag)
            .map_err(|_| FormFault::Foreign)?;
        let form: Form = postcard::from_bytes(said).map_err(|_| FormFault::Foreign)?;
        let age = now.duration_since(form.shown.0);
        if age < -FORM_AHEAD || age > FORM_LASTS {
            return Err(FormFault::Old);
        }
        let id = tag.try_into().map_err(|_| FormFault::Foreign)?;
        Ok((form, id))
    }

    fn form_tag(&self, link: &Link, said: &[u8]) -> Hmac<Sha256> {
        let (patient, contact) = (link.patient.to_be_bytes(), link.contact.to_be_bytes());
        self.over(b"dosed form", &[&patient, &contact, said])
    }

    /// The keyed hash over length-prefixed parts: what was made for one use is of no use in another.
    fn over(&self, domain: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in std::iter::once(&domain).chain(parts) {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac
    }
}

fn bytes_of(link: &Link) -> [u8; LINK_BYTES] {
    let seconds = u32::try_from(link.expires.as_second()).unwrap_or(0);
    let mut bytes = [VERSION; LINK_BYTES];
    bytes[1..5].copy_from_slice(&link.patient.to_be_bytes());
    bytes[5..9].copy_from_slice(&link.contact.to_be_bytes());
    bytes[9..].copy_from_slice(&seconds.to_be_bytes());
    bytes
}

fn link_of(bytes: &[u8]) -> Option<Link> {
    let (version, rest) = bytes.split_first()?;
    let mut numbers = rest.chunks_exact(4).map(|number| {
        let bytes = number.try_into().ok()?;
        Some(u32::from_be_bytes(bytes))
    });
    let mut next = || numbers.next().flatten();
    let (patient, contact, seconds) = (next()?, next()?, next()?);
    (*version == VERSION).then_some(Link {
        patient,
        contact,
        expires: Timestamp::from_second(seconds.into()).ok()?,
    })
}

/// Makes the links of a clinic. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Links {
    key: LinkKey,
    /// The address at which phones reach the public listener, without a slash at its end.
    base: Arc<str>,
}

impl Links {
    /// Links to what is served at `base`.
    #[must_use]
    pub fn new(key: LinkKey, base: &str) -> Self {
        Self {
            key,
            base: base.trim_end_matches('/').into(),
        }
    }

    /// Their key.
    #[must_use]
    pub fn key(&self) -> &LinkKey {
        &self.key
    }

    /// The address of a patient's page, for one contact, for a day.
    #[must_use]
    pub fn for_a_day(&self, patient: u32, contact: u32, now: Timestamp) -> String {
        self.address(patient, contact, later(now, LINK_LASTS))
    }

    /// The address that a message carries: that of its patient's page, where it goes to whoever
    /// answers for the patient. It depends on the message alone, so that each try carries the same
    /// one, and it is valid until a day after the message's time.
    #[must_use]
    pub fn for_message(&self, patient: u32, contact: u32, message: &Message) -> Option<String> {
        if message.to != Recipient::Patient {
            return None;
        }
        let over = later(message.key.deadline, LINK_LASTS);
        let at_most = later(message.not_before, LINK_LASTS_MAX);
        Some(self.address(patient, contact, over.min(at_most)))
    }

    fn address(&self, patient: u32, contact: u32, expires: Timestamp) -> String {
        let link = Link {
            patient,
            contact,
            expires,
        };
        format!("{}{PAGE_PATH}{}", self.base, self.key.seal(&link))
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Addressee, Body, Class, MessageId, Millis, OutboxRef, Recipient, Text};
    use crate::plan::{Language, Zone};
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    const NOW: i64 = 1_795_000_000;

    fn key(byte: u8) -> LinkKey {
        LinkKey::new(&[byte; 32])
    }

    fn link(patient: u32, contact: u32, second: i64) -> Link {
        Link {
            patient,
            contact,
            expires: at(second),
        }
    }

    fn doses(ids: &[&str]) -> Subject {
        let one = |id: &&str| ((*id).to_owned(), Millis(at(NOW)));
        Subject::Doses(ids.iter().map(one).collect())
    }

    #[test]
    fn a_link_is_short_and_says_for_whom_it_is_until_its_time_is_over() {
        let made = link(7, 3, NOW + 3600);
        let sealed = key(1).seal(&made);
        assert_eq!(sealed.len(), 39);
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        assert!(sealed.chars().all(plain), "{sealed}");
        assert_eq!(key(1).open(&sealed, at(NOW)), Ok(made));
        assert_eq!(key(1).open(&sealed, at(NOW + 3599)), Ok(made));
        for later in [3600, 3601, 1 << 30] {
            assert_eq!(
                key(1).open(&sealed, at(NOW + later)),
                Err(LinkFault::Expired)
            );
        }
        // Made by a clock that was two days ahead.
        let ahead = key(1).seal(&link(7, 3, NOW + 48 * 3600 + 1));
        assert_eq!(key(1).open(&ahead, at(NOW)), Err(LinkFault::Expired));
        assert_eq!(key(2).open(&sealed, at(NOW)), Err(LinkFault::Foreign));
        for other in [
            String::new(),
            "x".repeat(39),
            format!("{sealed}="),
            sealed + "A",
        ] {
            assert_eq!(
                key(1).open(&other, at(NOW)),
                Err(LinkFault::Foreign),
                "{other}"
            );
        }
    }

    #[test]
    fn a_links_form_does_not_change_from_release_to_release() {
        // Sent links outlive the release that made them.
        assert_eq!(
            key(1).seal(&link(7, 3, NOW)),
            "AQAAAAcAAAADav2GwKaXczKkAN9LOOQ12TlaolU"
        );
    }

    #[test]
    fn a_form_is_taken_for_its_patient_and_contact_only_and_for_half_a_day() {
        let form = Form {
            shown: Millis(at(NOW)),
            subject: doses(&["二甲双胍", "氨氯地平"]),
        };
        let of = link(7, 3, NOW + 3600);
        let sealed = key(1).seal_form(&of, &form);
        let open = |link: &Link, now: i64| key(1).open_form(link, &sealed, at(now));
        let (read, id) = open(&of, NOW + 5).unwrap();
        assert_eq!(read, form);
        assert_eq!(open(&link(7, 3, NOW + 9), NOW).unwrap().1, id);
        assert_eq!(open(&link(8, 3, NOW + 3600), NOW), Err(FormFault::Foreign));
        assert_eq!(open(&link(7, 4, NOW + 3600), NOW), Err(FormFault::Foreign));
        assert_eq!(open(&of, NOW + 12 * 3600 + 1), Err(FormFault::Old));
        assert_eq!(open(&of, NOW - 601), Err(FormFault::Old));
        let other = key(2).open_form(&of, &sealed, at(NOW));
        assert_eq!(other, Err(FormFault::Foreign));
        for none in ["", "AAAA", &"A".repeat(9000)] {
            let read = key(1).open_form(&of, none, at(NOW));
            assert_eq!(read, Err(FormFault::Foreign), "{}", none.len());
        }
        // A link is no form, and a form no link.
        let as_form = key(1).open_form(&of, &key(1).seal(&of), at(NOW));
        assert_eq!(as_form, Err(FormFault::Foreign));
    }

    #[test]
    fn a_message_carries_the_same_link_at_each_try_and_none_to_others() {
        let links = Links::new(key(1), "https://clinic.example/dosed/");
        let message = |to: Recipient, not_before: i64, deadline: i64| Message {
            key: OutboxRef {
                class: Class::Dose,
                deadline: at(deadline),
                id: MessageId([1; 16]),
            },
            not_before: at(not_before),
            due: at(not_before),
            addressee: Addressee {
                name: "王秀兰".into(),
                language: Language::ZhCn,
                zone: Zone::get("Asia/Shanghai").unwrap(),
            },
            to,
            body: Body::Notice(Text {
                text: "x".into(),
                at: at(NOW),
            }),
        };
        let hours = 3600;
        for (window, expires) in [(6, 30), (24, 48), (48, 48)] {
            let message = message(Recipient::Patient, NOW, NOW + window * hours);
            let address = links.for_message(7, 3, &message).unwrap();
            assert_eq!(links.for_message(7, 3, &message), Some(address.clone()));
            let sealed = address
                .strip_prefix("https://clinic.example/dosed/p/")
                .unwrap();
            let read = links.key().open(sealed, at(NOW)).unwrap();
            assert_eq!(read, link(7, 3, NOW + expires * hours));
        }
        for to in [
            Recipient::Caregiver("lei".into()),
            Recipient::Staff("hao".into()),
        ] {
            assert_eq!(links.for_message(7, 3, &message(to, NOW, NOW + 1)), None);
        }
    }

    proptest! {
        #[test]
        fn no_link_survives_a_change(
            (patient, contact, ahead) in (any::<u32>(), any::<u32>(), 1..172_800_i64),
            byte in 0..39_usize,
            with in any::<u8>(),
        ) {
            let made = link(patient, contact, NOW + ahead);
            let sealed = key(1).seal(&made);
            prop_assert_eq!(key(1).open(&sealed, at(NOW)), Ok(made));
            // Each bit of each character, also those that spell no byte.
            for bit in 0..8 {
                let mut bytes = sealed.clone().into_bytes();
                bytes[byte] ^= 1 << bit;
                if let Ok(changed) = String::from_utf8(bytes) {
                    prop_assert_eq!(key(1).open(&changed, at(NOW)), Err(LinkFault::Foreign));
                }
            }
            let mut bytes = sealed.clone().into_bytes();
            bytes[byte] = with;
            if let Ok(changed) = String::from_utf8(bytes)
                && changed != sealed
            {
                prop_assert_eq!(key(1).open(&changed, at(NOW)), Err(LinkFault::Foreign));
            }
        }

        #[test]
        fn no_form_survives_a_change_nor_another_patient(
            (patient, contact) in (any::<u32>(), any::<u32>()),
            (other, id) in (any::<u32>(), "[a-z二甲双胍]{0,40}"),
            place in any::<prop::sample::Index>(),
            bit in 0..8,
        ) {
            let form = Form { shown: Millis(at(NOW)), subject: doses(&[&id]) };
            let of = link(patient, contact, NOW + 60);
            let sealed = key(1).seal_form(&of, &form);
            let read = key(1).open_form(&of, &sealed, at(NOW));
            prop_assert_eq!(read.map(|it| it.0), Ok(form));
            let mut bytes = sealed.clone().into_bytes();
            bytes[place.index(sealed.len())] ^= 1_u8 << bit;
            if let Ok(changed) = String::from_utf8(bytes) {
                let read = key(1).open_form(&of, &changed, at(NOW));
                prop_assert_eq!(read, Err(FormFault::Foreign));
            }
            prop_assume!(other != patient);
            let read = key(1).open_form(&link(other, contact, NOW + 60), &sealed, at(NOW));
            prop_assert_eq!(read, Err(FormFault::Foreign));
        }

        #[test]
        fn nothing_that_is_sent_panics(text in ".{0,200}", length in 0..300_usize) {
            let of = link(1, 1, NOW + 60);
            let _ = key(1).open(&text, at(NOW));
            let _ = key(1).open_form(&of, &text, at(NOW));
            let filled = "A".repeat(length);
            let _ = key(1).open(&filled, at(NOW));
            let _ = key(1).open_form(&of, &filled, at(NOW));
        }
    }
}
