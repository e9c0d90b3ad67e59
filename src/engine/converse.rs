//! The one function that decides what a contact's words mean for its patients: [`converse`].

mod list;
mod prompt;
#[cfg(test)]
mod tests;

use super::interpret::{
    self, AsNeededItem, Interpretation, ItemKind, OpenItem, Reading, RecentDose as RecentItem,
    interpret,
};
use super::{
    Asked, Choice, ChoiceItem, Consent, Conversation, DoseAnswer, DoseState, Matter, MessageId,
    Millis, PatientState, ReachChange, Reply, Report, Said, StrangersWords, Teller, Value,
};
use crate::plan::ResolvedPlan;
use jiff::{SignedDuration, Timestamp};
use list::listed_value;
use prompt::{Prompt, is_recent, label, matter_of, name_of, prompts};

/// Free words are acknowledged once in this time.
const ACKNOWLEDGED_FOR: SignedDuration = SignedDuration::from_hours(1);

/// A numbered list is our last message for so long; then it is forgotten.
pub(super) const ASKED_FOR: SignedDuration = SignedDuration::from_hours(2);

/// So many hints are remembered.
const HINTS_MAX: usize = 16;

/// Words by which consent is given, and nothing else.
const AGREE: &[&str] = &["同意", "我同意", "agree", "i agree", "agreed"];

/// Words by which it is refused, and nothing else.
const DECLINE: &[&str] = &[
    "不同意",
    "我不同意",
    "不",
    "不要",
    "不用",
    "不需要",
    "拒绝",
    "no",
    "no thanks",
    "no thank you",
    "disagree",
    "i disagree",
    "do not agree",
    "i do not agree",
    "dont agree",
    "i dont agree",
    "decline",
    "i decline",
    "refuse",
];

/// A patient for whom a contact answers, or about whom it is told.
#[derive(Clone, Copy)]
pub struct Person<'a> {
    /// The patient's number.
    pub number: u32,
    /// What the contact is to the patient.
    pub role: &'a Teller,
    /// Whether the contact's words about doses and check-ins count.
    pub answers: bool,
    /// Whether the patient's own messages come to this contact: the patient's, or that of whoever
    /// answers in the patient's place.
    pub own: bool,
    /// The plan in force.
    pub plan: &'a ResolvedPlan,
    /// The patient's state.
    pub state: &'a PatientState,
    /// Messages of the patient that may have left and of which no outcome is known yet: whoever is
    /// quick answers before we know that they were asked.
    pub under_way: &'a [MessageId],
}

/// What came from a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// Words.
    Words(&'a str),
    /// Words of an item that was tapped in a message: they open the channel for a moment only.
    Tapped(&'a str),
    /// A picture, a voice message or the like, by its name and the id under which it is kept.
    Media {
        /// `image`, `voice` and so on.
        kind: &'a str,
        /// The id under which the channel keeps it.
        id: &'a str,
    },
    /// A tap in the account's menu.
    Acted,
    /// The contact follows the account, without a code.
    Followed,
    /// The contact does not follow any more.
    Unfollowed,
}

/// What the clinic has set for talks.
#[derive(Clone, Copy, Debug)]
pub struct TalkTerms<'a> {
    /// Phrases that cannot wait.
    pub red_flags: &'a [String],
    /// A short hash of the text to which patients consent.
    pub consent_version: &'a str,
    /// Whether somebody is at the clinic.
    pub is_open: bool,
}

/// What follows from something that was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversed {
    /// The next state of the talk.
    pub conversation: Conversation,
    /// What is said in return, before what the patients' own steps say.
    pub replies: Vec<Reply>,
    /// What is said of which patient, in order.
    pub said: Vec<(u32, Said)>,
    /// Words of somebody whom nobody knows: for the clinic to look at.
    pub stranger: Option<StrangersWords>,
}

/// Decides what follows for a contact and its patients from what was heard at `now`.
///
/// Total and deterministic; `people` are all patients of the contact, in a fixed order.
#[must_use]
pub fn converse(
    conversation: Conversation,
    people: &[Person<'_>],
    heard: Heard<'_>,
    terms: &TalkTerms<'_>,
    now: Timestamp,
) -> Conversed {
    let mut talk = Talk {
        people,
        terms,
        now,
        conversed: Conversed {
            conversation,
            replies: Vec::new(),
            said: Vec::new(),
            stranger: None,
        },
    };
    if heard != Heard::Unfollowed {
        talk.conversation().note_hearing();
    }
    if !matches!(heard, Heard::Followed | Heard::Unfollowed) && talk.conversation().note_doing(now)
    {
        talk.of_own(&Said::Reach(ReachChange::Followed));
    }
    match heard {
        Heard::Words(text) => {
            talk.conversation().window.note_writing(now);
            talk.words(text);
        }
        Heard::Tapped(text) => {
            talk.conversation().window.note_acting(now);
            talk.words(text);
        }
        Heard::Media { kind, id } => {
            // The numbers of a list that was sent are still understood.
            talk.conversation().window.note_writing(now);
            talk.pass_on(&format!("[{kind} {id}]"));
        }
        Heard::Acted => talk.conversation().window.note_acting(now),
        Heard::Followed => talk.followed(),
        Heard::Unfollowed => talk.unfollowed(),
    }
    talk.conversed
}

struct Talk<'a> {
    people: &'a [Person<'a>],
    terms: &'a TalkTerms<'a>,
    now: Timestamp,
    conversed: Conversed,
}

impl Talk<'_> {
    fn conversation(&mut self) -> &mut Conversation {
        &mut self.conversed.conversation
    }

    fn reply(&mut self, reply: Reply) {
        self.conversed.replies.push(reply);
    }

    /// Says something of each patient whose own messages go to this contact.
    fn of_own(&mut self, said: &Said) {
        for person in self.people.iter().filter(|it| it.own) {
            self.conversed.said.push((person.number, said.clone()));
        }
    }

    fn followed(&mut self) {
        let now = self.now;
        let conversation = self.conversation();
        let back = !std::mem::replace(&mut conversation.following, true);
        conversation.window.note_acting(now);
        if self.people.is_empty() {
            // Somebody at the clinic may know who it is.
            self.conversed.stranger = Some(StrangersWords {
                text: "[follow]".to_owned(),
                red_flag: false,
            });
            self.reply(Reply::Welcome);
        } else {
            if back {
                self.of_own(&Said::Reach(ReachChange::Followed));
                if self.conversed.conversation.bars().is_none() {
                    self.reply(Reply::Started);
                }
            }
            self.ask_consent();
        }
    }

    fn unfollowed(&mut self) {
        let now = self.now;
        let conversation = self.conversation();
        conversation.following = false;
        conversation.left_at = Some(now);
        conversation.asked = None;
        conversation.window.close();
        self.of_own(&Said::Reach(ReachChange::Unfollowed));
    }

    /// Asks for consent where there is none yet.
    fn ask_consent(&mut self) {
        if !self.conversed.conversation.consent.is_given() {
            self.conversation().consent = Consent::Asked;
            self.reply(Reply::ConsentAsked);
        }
    }

    fn words(&mut self, text: &str) {
        let asked = self.conversation().asked.take();
        let asked = asked
            .filter(|asked| self.now >= asked.at && self.now.duration_since(asked.at) < ASKED_FOR);
        let consent = &self.conversed.conversation.consent;
        let may_agree = matches!(consent, Consent::Asked | Consent::Declined);
        if *consent == Consent::Asked && is_one_of(text, DECLINE) {
            self.conversation().consent = Consent::Declined;
            self.reply(Reply::ConsentDeclined);
            self.of_own(&Said::Reach(ReachChange::Declined));
            return;
        }
        if may_agree && is_one_of(text, AGREE) {
            let given = Consent::Given {
                version: self.terms.consent_version.to_owned(),
                at: self.now,
            };
            let conversation = self.conversation();
            conversation.consent = given;
            // Whoever agrees after a stop wants messages.
            conversation.stopped_at = None;
            self.reply(Reply::ConsentGiven);
            for person in self.people {
                let version = self.terms.consent_version.to_owned();
                let said = Said::Consented { version };
                self.conversed.said.push((person.number, said));
                if person.own && *person.role != Teller::Patient {
                    // Who consents in the patient's place is reached in it, too.
                    let said = Said::Reach(ReachChange::Consented);
                    self.conversed.said.push((person.number, said));
                }
            }
            return;
        }
        let allowed = self.conversed.conversation.bars().is_none();
        let all = if allowed {
            prompts(self.people, asked.as_ref(), self.now)
        } else {
            // Nothing medical is spoken of.
            Vec::new()
        };
        let asked =
            asked.filter(|asked| !asked.is_used() || asked.is_repeated_by(text, &all, self.now));
        let all = if asked.is_none() && allowed {
            prompts(self.people, None, self.now)
        } else {
            all
        };
        let open = prompt::numbered(all.iter().filter(|it| !it.is_over), asked.as_ref());
        if let Some((words, prompt)) = listed_value(text, &open, asked.as_ref()) {
            // The number says to which of the questions the words before were the answer.
            let one = std::slice::from_ref(prompt);
            let read = self.read(&words, one, None, allowed);
            self.follow(&words, read, one, None);
            return;
        }
        let read = self.read(text, &open, asked.as_ref(), allowed);
        if read.reading == Reading::FreeText && open.len() < all.len() {
            // What nobody waits for any more is meant by words that can mean nothing else.
            let all = prompt::numbered(all.iter().filter(|it| !it.is_words()), asked.as_ref());
            let late = self.read(text, &all, asked.as_ref(), allowed);
            if matches!(
                late.reading,
                Reading::CheckInValue(_) | Reading::AskWhich(None)
            ) {
                self.follow(text, late, &all, asked);
                return;
            }
        }
        self.follow(text, read, &open, asked);
    }

    fn read(
        &self,
        text: &str,
        prompts: &[Prompt],
        asked: Option<&Asked>,
        allowed: bool,
    ) -> Interpretation {
        let several = self.people.len() > 1;
        let mut open = Vec::new();
        for (index, prompt) in prompts.iter().enumerate() {
            let parts = prompt.kinds.iter().zip(&prompt.names).enumerate();
            open.extend(parts.map(|(part, (kind, name))| OpenItem {
                reference: format!("o{index}.{part}"),
                number: prompt.number,
                kind: kind.clone(),
                name: name.clone(),
                at: prompt.at,
                patient: several.then(|| self.people[prompt.patient].plan.name.clone()),
            }));
        }
        let mut recent = Vec::new();
        let mut as_needed = Vec::new();
        for (index, person) in self.people.iter().enumerate() {
            if !person.answers || !allowed {
                continue;
            }
            let doses = person.state.recent.iter().enumerate();
            let known = doses.filter(|(_, it)| {
                it.state != DoseState::Cancelled && is_recent(it.dose.due, self.now)
            });
            recent.extend(known.map(|(dose, it)| RecentItem {
                reference: format!("r{index}.{dose}"),
                name: label(person.plan, &it.dose.medication).to_owned(),
                at: it.dose.due,
                state: it.state,
                patient: several.then(|| person.plan.name.clone()),
            }));
            let medications = person.plan.medications.iter().enumerate();
            let needed = medications.filter(|(_, it)| it.as_needed.is_some());
            as_needed.extend(needed.map(|(medication, it)| AsNeededItem {
                reference: format!("n{index}.{medication}"),
                name: it.label().to_owned(),
            }));
        }
        let zone = self
            .people
            .first()
            .map(|it| it.plan.zone.time_zone().clone());
        let now = self.now.to_zoned(zone.unwrap_or(jiff::tz::TimeZone::UTC));
        let language = self.people.first().map(|it| it.plan.language);
        interpret(&interpret::Reply {
            now: &now,
            language: language.unwrap_or(self.conversed.conversation.language),
            text,
            red_flags: self.terms.red_flags,
            open: &open,
            recent: &recent,
            as_needed: &as_needed,
            asked_which: asked.and_then(|asked| answer_of(&asked.report)),
        })
    }

    fn follow(
        &mut self,
        text: &str,
        read: Interpretation,
        prompts: &[Prompt],
        asked: Option<Asked>,
    ) {
        let before = self.said_before(text, &read, prompts, asked.as_ref());
        let references = read.references;
        if let Some(asked) = asked
            .as_ref()
            .filter(|it| it.names(text, &references, prompts))
        {
            self.conversation().asked = Some(Asked {
                words: String::new(),
                at: self.now,
                ..asked.clone()
            });
        }
        if read.has_remark {
            // What is said beside an answer is for a person.
            self.write_down(text, false);
        }
        match read.reading {
            Reading::Stop => {
                self.conversation().stopped_at = Some(self.now);
                self.reply(Reply::Stopped);
                self.of_own(&Said::Reach(ReachChange::Stopped));
            }
            Reading::Start => self.start(),
            Reading::RedFlag => {
                // Whoever of them it is about, somebody has to ring.
                self.reply(Reply::RedFlag);
                self.write_down(text, true);
            }
            Reading::Taken { taken_at } => {
                let before = match before {
                    Some(Report::Taken(at)) => at,
                    _ => None,
                };
                let at = taken_at.map(Millis).or(before);
                self.report(text, &references, prompts, &Report::Taken(at));
            }
            Reading::Later { minutes } => {
                let before = match before {
                    Some(Report::Later(minutes)) => minutes,
                    _ => None,
                };
                let report = Report::Later(minutes.or(before));
                self.report(text, &references, prompts, &report);
            }
            Reading::Skipped { reason } => {
                let before = match before {
                    Some(Report::Skipped(reason)) => reason,
                    _ => None,
                };
                let report = Report::Skipped(reason.or(before));
                self.report(text, &references, prompts, &report);
            }
            Reading::NotTaken => self.report(text, &references, prompts, &Report::NotTaken),
            Reading::AskWhich(answer) => self.ask_which(text, answer, prompts, &references),
            Reading::CheckInValue(value) => self.check_in(text, &references, prompts, &value),
            Reading::Unreadable => self.hint(text, &references, prompts),
            Reading::AsNeededTaken { taken_at } => self.as_needed(text, &references, taken_at),
            Reading::FreeText => {
                // Numbers of the list are still understood: were it forgotten, a bare number
                // would be read as an answer to what is left open.
                self.conversation().asked = asked;
                self.pass_on(text);
            }
        }
    }

    /// Messages are wanted (again). Where consent is missing that comes first.
    fn start(&mut self) {
        let stopped = self.conversation().stopped_at.take().is_some();
        if self.people.is_empty() {
            self.reply(Reply::Welcome);
            return;
        }
        if stopped {
            self.of_own(&Said::Reach(ReachChange::Started));
        }
        if self.conversed.conversation.consent.is_given() {
            self.reply(Reply::Started);
        } else {
            self.ask_consent();
        }
    }

    /// Something was said of the doses named.
    fn report(&mut self, text: &str, references: &[String], prompts: &[Prompt], report: &Report) {
        let mut by_person: Vec<(usize, Vec<(String, Timestamp)>)> = Vec::new();
        for reference in references {
            let Some((person, id, due)) = self.dose_of(reference, prompts) else {
                continue;
            };
            match by_person.iter_mut().find(|(known, _)| *known == person) {
                Some((_, doses)) => doses.push((id, due)),
                None => by_person.push((person, vec![(id, due)])),
            }
        }
        if by_person.is_empty() {
            self.pass_on(text);
            return;
        }
        for (person, doses) in by_person {
            let said = Said::Doses {
                doses,
                report: report.clone(),
            };
            self.conversed.said.push((self.people[person].number, said));
        }
    }

    /// The dose that a reference names, open or closed.
    fn dose_of(&self, reference: &str, prompts: &[Prompt]) -> Option<(usize, String, Timestamp)> {
        let (kind, first, second) = parse(reference)?;
        match kind {
            'o' => {
                let prompt = prompts.get(first)?;
                let matter = prompt.matters.get(second)?;
                matches!(prompt.kinds.get(second)?, ItemKind::Dose)
                    .then(|| (prompt.patient, matter.id.clone(), matter.due.0))
            }
            'r' => {
                let dose = &self.people.get(first)?.state.recent.get(second)?.dose;
                Some((first, dose.medication.clone(), dose.due))
            }
            _ => None,
        }
    }

    fn check_in_of<'p>(
        reference: &str,
        prompts: &'p [Prompt],
    ) -> Option<(&'p Prompt, &'p Matter, &'p ItemKind)> {
        let (kind, first, second) = parse(reference)?;
        let prompt = prompts.get(first).filter(|_| kind == 'o')?;
        let item = prompt.kinds.get(second)?;
        matches!(item, ItemKind::CheckIn(_))
            .then(|| Some((prompt, prompt.matters.get(second)?, item)))?
    }

    fn check_in(&mut self, text: &str, references: &[String], prompts: &[Prompt], value: &Value) {
        let found = references
            .iter()
            .find_map(|reference| Self::check_in_of(reference, prompts));
        let Some((prompt, matter, _)) = found else {
            self.pass_on(text);
            return;
        };
        let said = Said::CheckIn {
            check_in: matter.id.clone(),
            due: matter.due.0,
            value: value.clone(),
        };
        let number = self.people[prompt.patient].number;
        self.conversation()
            .hinted
            .retain(|(patient, id, due)| (patient, id, due) != (&number, &matter.id, &matter.due));
        self.conversed.said.push((number, said));
    }

    /// One hint for an answer that cannot be read; then it goes to the doctor as it is.
    fn hint(&mut self, text: &str, references: &[String], prompts: &[Prompt]) {
        let found = references
            .iter()
            .find_map(|reference| Self::check_in_of(reference, prompts));
        let Some((prompt, matter, ItemKind::CheckIn(answer))) = found else {
            self.pass_on(text);
            return;
        };
        let person = self.people[prompt.patient];
        let key = (person.number, matter.id.clone(), matter.due);
        let conversation = self.conversation();
        if conversation.hinted.contains(&key) {
            self.pass_on(text);
            return;
        }
        conversation.hinted.push(key);
        let excess = conversation.hinted.len().saturating_sub(HINTS_MAX);
        conversation.hinted.drain(..excess);
        let known = person.plan.check_ins.iter().find(|it| it.id == matter.id);
        self.reply(Reply::Unreadable {
            ask: known
                .map_or(matter.id.as_str(), |it| it.ask.as_str())
                .to_owned(),
            answer: answer.clone(),
        });
    }

    fn as_needed(&mut self, text: &str, references: &[String], taken_at: Option<Timestamp>) {
        let mut found = false;
        for reference in references {
            let Some(('n', person, medication)) = parse(reference) else {
                continue;
            };
            let Some(person) = self.people.get(person) else {
                continue;
            };
            if let Some(medication) = person.plan.medications.get(medication) {
                let said = Said::AsNeeded {
                    medication: medication.id.clone(),
                    at: taken_at,
                };
                self.conversed.said.push((person.number, said));
                found = true;
            }
        }
        if !found {
            self.pass_on(text);
        }
    }

    /// Sends the numbered list: of the things that the words may mean, else of all that are open.
    fn ask_which(
        &mut self,
        text: &str,
        answer: Option<DoseAnswer>,
        prompts: &[Prompt],
        references: &[String],
    ) {
        let meant = |index: usize| {
            let named = references.iter().filter_map(|it| parse(it));
            let mut open = named.filter(|(kind, _, _)| *kind == 'o').peekable();
            open.peek().is_none() || open.any(|(_, first, _)| first == index)
        };
        let as_needed = |it: &String| parse(it).is_some_and(|(kind, ..)| kind == 'n');
        if !references.is_empty() && references.iter().all(as_needed) {
            // Which of them it was, no number of a list says: another medicine is not meant.
            self.pass_on(text);
            return;
        }
        let several = self.people.len() > 1;
        let mut choices = Vec::new();
        let mut listed = Vec::new();
        for (index, prompt) in prompts.iter().enumerate() {
            if meant(index) {
                let name = &self.people[prompt.patient].plan.name;
                choices.push(Choice {
                    number: prompt.number,
                    patient: several.then(|| name.clone()),
                    item: prompt.item.clone(),
                });
                let matters = prompt.matters.iter().cloned();
                listed.extend(matters.map(|matter| (prompt.number, matter)));
            }
        }
        for reference in references {
            let Some(('r', first, second)) = parse(reference) else {
                continue;
            };
            let Some(person) = self.people.get(first) else {
                continue;
            };
            if let Some(recent) = person.state.recent.get(second) {
                let number = choices.iter().map(|it| it.number).max().unwrap_or(0) + 1;
                choices.push(Choice {
                    number,
                    patient: several.then(|| person.plan.name.clone()),
                    item: ChoiceItem::Doses(vec![name_of(person.plan, &recent.dose)]),
                });
                let matter = matter_of(person.number, &recent.dose.medication, recent.dose.due);
                listed.push((number, matter));
            }
        }
        if choices.is_empty() {
            self.pass_on(text);
            return;
        }
        let report = match answer {
            Some(DoseAnswer::Taken) => Report::Taken(None),
            Some(DoseAnswer::Later) => Report::Later(None),
            Some(DoseAnswer::Skipped) => Report::Skipped(None),
            Some(DoseAnswer::NotTaken) => Report::NotTaken,
            None => Report::Value(text.to_owned()),
        };
        self.conversation().asked = Some(Asked {
            report,
            choices: listed,
            at: self.now,
            words: answer.map_or(String::new(), |_| text.to_owned()),
        });
        self.reply(Reply::Which {
            asked: answer,
            choices,
        });
    }

    /// What the words before the list said besides which dose they meant: when it was taken, in how
    /// long to ask again, why not. Nothing where the present words speak for themselves, or where
    /// it is not the same for all that is meant.
    fn said_before(
        &self,
        text: &str,
        read: &Interpretation,
        prompts: &[Prompt],
        asked: Option<&Asked>,
    ) -> Option<Report> {
        let asked = asked.filter(|it| !it.words.is_empty())?;
        let alone = self.read(text, prompts, None, true);
        if alone == *read {
            return None;
        }
        let mut chosen: Vec<usize> = Vec::new();
        for reference in &read.references {
            match parse(reference) {
                Some(('o', prompt, _)) if chosen.contains(&prompt) => {}
                Some(('o', prompt, _)) => chosen.push(prompt),
                _ => return None,
            }
        }
        // As they were meant when they were said.
        let then = Talk {
            people: self.people,
            terms: self.terms,
            now: asked.at,
            conversed: self.conversed.clone(),
        };
        let mut reports = chosen.into_iter().filter_map(|index| {
            let prompt = Prompt {
                number: 1,
                ..prompts.get(index)?.clone()
            };
            let prompt = std::slice::from_ref(&prompt);
            Some(match then.read(&asked.words, prompt, None, false).reading {
                Reading::Taken { taken_at } => Report::Taken(taken_at.map(Millis)),
                Reading::Later { minutes } => Report::Later(minutes),
                Reading::Skipped { reason } => Report::Skipped(reason),
                _ => Report::NotTaken,
            })
        });
        let first = reports.next()?;
        reports.all(|other| other == first).then_some(first)
    }

    /// Words for a person at the clinic.
    fn pass_on(&mut self, text: &str) {
        self.write_down(text, false);
        let now = self.now;
        let conversation = self.conversation();
        let fresh = conversation
            .acknowledged_at
            .is_some_and(|at| now >= at && now.duration_since(at) < ACKNOWLEDGED_FOR);
        if fresh {
            return;
        }
        conversation.acknowledged_at = Some(now);
        let reply = if self.people.is_empty() {
            Reply::Welcome
        } else if self.terms.is_open {
            Reply::PassedOn
        } else {
            Reply::OutOfHours
        };
        self.reply(reply);
        if self.conversed.conversation.consent == Consent::Asked {
            // "Fine" may have been meant for it; it counts only in its own words.
            self.reply(Reply::ConsentAsked);
        }
    }

    fn write_down(&mut self, text: &str, red_flag: bool) {
        if self.people.is_empty() {
            self.conversed.stranger = Some(StrangersWords {
                text: text.to_owned(),
                red_flag,
            });
        }
        // Of several patients nobody knows whom it is about: each one's file has it.
        for person in self.people {
            let said = Said::Words {
                text: text.to_owned(),
                red_flag,
            };
            self.conversed.said.push((person.number, said));
        }
    }
}

fn answer_of(report: &Report) -> Option<DoseAnswer> {
    match report {
        Report::Taken(_) => Some(DoseAnswer::Taken),
        Report::Later(_) => Some(DoseAnswer::Later),
        Report::Skipped(_) => Some(DoseAnswer::Skipped),
        Report::NotTaken => Some(DoseAnswer::NotTaken),
        Report::Value(_) => None,
    }
}

/// `o3.1`: the sort of thing and its two places.
fn parse(reference: &str) -> Option<(char, usize, usize)> {
    let kind = reference.chars().next()?;
    let (first, second) = reference.get(kind.len_utf8()..)?.split_once('.')?;
    Some((kind, first.parse().ok()?, second.parse().ok()?))
}

/// Whether the words are one of these and nothing else.
fn is_one_of(text: &str, words: &[&str]) -> bool {
    let plain: String = text
        .chars()
        .filter(|it| {
            !it.is_ascii_punctuation() && !matches!(it, '。' | '！' | '，' | '～' | '’' | '“' | '”')
        })
        .collect();
    let plain = plain.trim().to_lowercase();
    words.contains(&plain.as_str())
}
