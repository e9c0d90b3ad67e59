//! Names of medicines and patients in a reply.

use super::lexicon::is_letter;
use super::writing::{Writing, is_ideograph, is_mark, squeezed};
use super::{ItemKind, Reply};

/// Whose name it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The open item of this index, and which of its names.
    Open(usize, usize),
    /// The recent dose of this index, and which of its names.
    Recent(usize, usize),
    /// The as-needed medicine of this index.
    AsNeeded(usize),
    /// The patient of the open item of this index.
    Patient(usize),
}

/// A name that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// All that bear it.
    pub(super) targets: Vec<Target>,
    /// Only the beginning of a name was written: it may mean another medicine.
    pub(super) doubtful: bool,
}

/// All names that a reply may mean.
#[derive(Debug)]
pub(super) struct Names {
    keys: Vec<(Vec<char>, Target)>,
    /// The whole name of each medicine.
    medicines: Vec<(Target, String)>,
    /// The whole name of the patient of each open item.
    patients: Vec<Option<String>>,
}

/// Fewer ideographs, or letters, are no name.
const IDEOGRAPHS_MIN: usize = 2;
const LETTERS_MIN: usize = 4;

impl Names {
    pub(super) fn of(reply: &Reply<'_>) -> Self {
        let (mut keys, mut medicines) = (Vec::new(), Vec::new());
        let mut add = |text: &str,
                       medicines: &mut Vec<(Target, String)>,
                       target: &dyn Fn(usize) -> Target| {
            for (part, name) in parts(text).into_iter().enumerate() {
                let target = target(part);
                keys.extend(keys_of(&name).into_iter().map(|key| (key, target)));
                medicines.push((target, name));
            }
        };
        for (index, item) in reply.open.iter().enumerate() {
            if item.kind == ItemKind::Dose {
                add(&item.name, &mut medicines, &|part| {
                    Target::Open(index, part)
                });
            }
        }
        for (index, dose) in reply.recent.iter().enumerate() {
            add(&dose.name, &mut medicines, &|part| {
                Target::Recent(index, part)
            });
        }
        for (index, item) in reply.as_needed.iter().enumerate() {
            medicines.push((Target::AsNeeded(index), item.name.clone()));
            add(&item.name, &mut medicines, &|_| Target::AsNeeded(index));
        }
        for (index, item) in reply.open.iter().enumerate() {
            let patient = item.patient.as_deref().unwrap_or_default();
            let whole = squeezed(patient);
            let first = patient.split_whitespace().next().map(squeezed);
            // 建国 of 李建国.
            let given = (whole.len() == 3 && whole.iter().all(|c| is_ideograph(*c)))
                .then(|| whole[1..].to_vec());
            for key in [Some(whole), first, given].into_iter().flatten() {
                if key.len() >= 2 {
                    keys.push((key, Target::Patient(index)));
                }
            }
        }
        let patients = reply.open.iter().map(|item| item.patient.clone()).collect();
        Self {
            keys,
            medicines,
            patients,
        }
    }

    /// The longest name that begins here, and how many characters of the text it takes.
    pub(super) fn longest(&self, text: &[char], at: usize) -> Option<(Hit, usize)> {
        if at > 0 && is_letter(text[at]) && is_letter(text[at - 1]) {
            return None;
        }
        let mut best: Option<(Hit, usize)> = None;
        for (key, target) in &self.keys {
            let Some((length, whole)) = spelt(text, at, key) else {
                continue;
            };
            if !whole && matches!(target, Target::Patient(_)) {
                continue;
            }
            let rank = (length, whole);
            match &mut best {
                Some((hit, longest)) if (*longest, !hit.doubtful) == rank => {
                    if !hit.targets.contains(target) {
                        hit.targets.push(*target);
                    }
                }
                Some((hit, longest)) if (*longest, !hit.doubtful) > rank => {}
                _ => {
                    let hit = Hit {
                        targets: vec![*target],
                        doubtful: !whole,
                    };
                    best = Some((hit, length));
                }
            }
        }
        if let Some((hit, _)) = &mut best {
            // 建国 of two families is nobody's name.
            let mut names = hit.targets.iter().filter_map(|target| match target {
                Target::Patient(index) => Some(&self.patients[*index]),
                _ => None,
            });
            let first = names.next();
            hit.doubtful |= first.is_some_and(|first| names.any(|name| name != first));
        }
        if let Some((hit, length)) = &mut best
            && hit.doubtful
            && self.is_nickname(&text[at..at + *length], &hit.targets)
        {
            hit.doubtful = false;
        }
        best
    }

    /// Whether the beginning of a name can mean only one medicine of those that are known: 硝苯
    /// is what people call it, while what is itself a name, or of many, may be another's.
    fn is_nickname(&self, written: &[char], targets: &[Target]) -> bool {
        let written: String = written.iter().filter(|c| c.is_alphanumeric()).collect();
        if GENERIC.contains(&written.as_str()) {
            return false;
        }
        let name_of = |target: &Target| {
            let found = self.medicines.iter().find(|(of, _)| of == target);
            found.map(|(_, name)| name.as_str())
        };
        let Some(first) = targets.first().and_then(name_of) else {
            return false;
        };
        if targets.iter().any(|target| name_of(target) != Some(first)) {
            return false;
        }
        let length = written.chars().count();
        if written.chars().all(is_ideograph) {
            // 阿莫西林 is not 阿莫西林克拉维酸钾.
            return length <= 3;
        }
        // The first word of two is a name of its own: "amoxicillin" is not "amoxicillin
        // clavulanate".
        !first
            .split_whitespace()
            .any(|word| squeezed(word).into_iter().collect::<String>() == written)
    }
}

/// Beginnings and kinds that many names have.
const GENERIC: &[&str] = &[
    "维生",
    "维生素",
    "复方",
    "盐酸",
    "硫酸",
    "硝酸",
    "磷酸",
    "碳酸",
    "醋酸",
    "注射",
    "胰岛",
    "胰岛素",
    "葡萄糖",
    "葡萄",
    "感冒",
    "止咳",
    "降糖",
    "降压",
    "降脂",
    "安神",
    "补血",
    "富马酸",
    "马来酸",
    "苯磺酸",
    "甲磺酸",
    "酒石酸",
    "琥珀酸",
    "枸橼酸",
    "门冬",
    "重组",
    "重组人",
    "小儿",
    "儿童",
    "速效",
    "清热",
    "健胃",
    "vitamin",
    "vitamins",
    "insulin",
    "calcium",
    "iron",
    "potassium",
    "sodium",
    "magnesium",
    "folic",
    "acid",
    "antibiotic",
    "blood",
    "pain",
    "water",
    "heart",
    "sleep",
    "generic",
    "baby",
    "child",
    "childrens",
    "fish",
];

/// What medicines of one kind end with: where only one is known, its kind names it.
const KINDS: &[&str] = &[
    "他汀", "沙坦", "地平", "洛尔", "普利", "拉唑", "格列", "双胍", "列净", "列汀", "西泮", "替丁",
    "沙星", "西林", "statin", "sartan", "dipine", "prazole",
];

/// How many characters of the text spell the key or enough of its beginning, and whether all of it.
fn spelt(text: &[char], at: usize, key: &[char]) -> Option<(usize, bool)> {
    let mut index = at;
    let mut end = at;
    let mut matched = 0;
    // What was spelt before the last blank: in "amlo done" the d is no longer of the name.
    let mut boundary = None;
    while let Some(expected) = key.get(matched) {
        let found = *text.get(index)?;
        if found == *expected {
            matched += 1;
            index += 1;
            end = index;
        } else if matched > 0 && (found == ' ' || matches!(found, '-' | '(' | ')' | '.')) {
            boundary = Some((matched, end));
            index += 1;
        } else {
            break;
        }
        if text.get(index).is_none() {
            break;
        }
    }
    let last = key.get(matched.checked_sub(1)?)?;
    // "Emma's".
    if is_letter(*last)
        && text.get(end) == Some(&'\'')
        && text.get(end + 1) == Some(&'s')
        && text.get(end + 2).is_none_or(|c| !is_letter(*c))
    {
        end += 2;
    }
    let in_word = |c: &char| is_letter(*c) || c.is_ascii_digit();
    if in_word(last) && text.get(end).is_some_and(in_word) {
        (matched, end) = boundary?;
    }
    let whole = matched == key.len();
    let ideographs = key[..matched].iter().filter(|c| is_ideograph(**c)).count();
    let enough = whole || ideographs >= IDEOGRAPHS_MIN || matched >= LETTERS_MIN;
    enough.then_some((end - at, whole))
}

/// How many medicines a name names.
pub(super) fn part_count(name: &str) -> usize {
    parts(name).len()
}

/// The names in a list of names: "A、B", "A, B".
fn parts(name: &str) -> Vec<String> {
    let folded: String = Writing::of(name).characters().iter().collect();
    let mut parts = vec![String::new()];
    let mut depth = 0_u32;
    for character in folded.chars() {
        match character {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && matches!(character, ',' | ';' | '+') {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(character);
        }
    }
    let parts: Vec<String> = parts
        .into_iter()
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty())
        .collect();
    if parts.is_empty() {
        vec![folded]
    } else {
        parts
    }
}

/// Words of form that patients leave out, at the end of a name.
const FORMS: &[&str] = &[
    "干混悬剂",
    "混悬剂",
    "混悬滴剂",
    "口服混悬液",
    "吸入用混悬液",
    "干糖浆",
    "颗粒剂",
    "滴剂",
    "胶囊剂",
    "栓剂",
    "凝胶剂",
    "鼻喷雾剂",
    "鼻喷剂",
    "喷鼻剂",
    "滴鼻液",
    "滴耳液",
    "眼膏",
    "眼用凝胶",
    "预填充注射液",
    "注射用",
    "吸入粉雾剂",
    "干粉吸入剂",
    "舌下片",
    "透皮贴剂",
    "透皮贴",
    "贴膏",
    "洗剂",
    "搽剂",
    "双层缓释片",
    "缓释片",
    "控释片",
    "肠溶片",
    "分散片",
    "咀嚼片",
    "泡腾片",
    "口崩片",
    "薄膜衣片",
    "含片",
    "片剂",
    "片",
    "缓释胶囊",
    "肠溶胶囊",
    "软胶囊",
    "胶囊",
    "颗粒",
    "冲剂",
    "滴丸",
    "丸",
    "口服液",
    "口服溶液",
    "混悬液",
    "糖浆",
    "散",
    "注射液",
    "注射剂",
    "滴眼液",
    "眼药水",
    "气雾剂",
    "喷雾剂",
    "吸入剂",
    "粉雾剂",
    "贴剂",
    "贴片",
    "贴",
    "软膏",
    "乳膏",
    "凝胶",
    "栓",
    "酯",
    "钠",
    "钾",
    "钙",
    "缓释",
    "肠溶",
    "控释",
    " tablets",
    " tablet",
    " tabs",
    " tab",
    " capsules",
    " capsule",
    " caps",
    " cap",
    " pills",
    " pill",
    " er",
    " xr",
    " sr",
    " cr",
    " xl",
    " la",
    " ec",
    " mr",
    " hcl",
    " hydrochloride",
    " sodium",
    " potassium",
    " calcium",
    " succinate",
    " tartrate",
    " besylate",
    " maleate",
    " extended release",
    " extended-release",
    " solution",
    " syrup",
    " inhaler",
    " puffer",
    " susp",
    " suspension",
    " injection",
    " eye drops",
    " drops",
    " cream",
    " ointment",
    " patch",
    " pen",
    " spray",
];

/// Salts that patients leave out, at the beginning of a name.
const SALTS: &[&str] = &[
    "盐酸",
    "硫酸氢",
    "硫酸",
    "苯磺酸",
    "甲磺酸",
    "酒石酸",
    "马来酸",
    "富马酸",
    "琥珀酸",
    "磷酸",
    "枸橼酸",
    "氢溴酸",
    "重酒石酸",
    "门冬氨酸",
    "草酸",
    "醋酸",
    "丙酸",
    "糠酸",
    "乳酸",
    "甲苯磺酸",
    "对甲苯磺酸",
    "苯甲酸",
    "乙磺酸",
];

/// The ways of writing one name.
fn keys_of(name: &str) -> Vec<Vec<char>> {
    let mut keys: Vec<Vec<char>> = Vec::new();
    let mut add = |text: &str| {
        let key = squeezed(text);
        let ideographs = key.iter().filter(|c| is_ideograph(**c)).count();
        if (ideographs >= IDEOGRAPHS_MIN || key.len() >= 3) && !keys.contains(&key) {
            keys.push(key);
        }
    };
    add(name);
    for kind in KINDS {
        if name.contains(kind) {
            add(kind);
        }
    }
    for (whole, short) in [("维生素", "维"), ("vitamin ", "vit ")] {
        if let Some(rest) = name.strip_prefix(whole) {
            add(&format!("{short}{}", without_strength(rest)));
        }
    }
    for form in [
        "胶囊",
        "颗粒",
        "糖浆",
        "口服液",
        "喷雾",
        "眼药水",
        "puffer",
        "inhaler",
        "syrup",
    ] {
        if name.contains(form) {
            add(form);
        }
    }
    if let Some(kind) = name.strip_prefix("insulin ") {
        add(without_strength(kind));
    }
    let (outside, inside) = parenthesised(name);
    for text in [outside, inside] {
        let bare = without_strength(&text);
        let strength = &text[bare.len()..];
        add(&text);
        add(bare);
        let mut stem = bare;
        while let Some(shorter) = FORMS.iter().find_map(|form| stem.strip_suffix(form)) {
            if shorter.chars().count() < 2 {
                break;
            }
            stem = shorter.trim_end();
            add(stem);
            add(&format!("{stem} {strength}"));
        }
        if let Some(stem) = SALTS.iter().find_map(|salt| stem.strip_prefix(salt)) {
            add(stem);
        }
        // Whoever takes insulin calls it that, whatever else its name says.
        for kind in ["胰岛素", "insulin"] {
            if stem.contains(kind) {
                add(kind);
            }
        }
    }
    keys
}

/// What stands outside and inside of round brackets.
fn parenthesised(name: &str) -> (String, String) {
    let (mut outside, mut inside, mut depth) = (String::new(), String::new(), 0_u32);
    for character in name.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth > 0 => inside.push(character),
            _ => outside.push(character),
        }
    }
    (outside.trim().to_owned(), inside.trim().to_owned())
}

/// The name up to a number that does not belong to it: "B12" does, " 500 mg" does not.
fn without_strength(name: &str) -> &str {
    let mut before = 'a';
    for (at, character) in name.char_indices() {
        if character.is_ascii_digit() && (before == ' ' || is_ideograph(before)) && at > 0 {
            return name[..at].trim_end_matches(|c: char| c == ' ' || is_mark(c));
        }
        before = character;
    }
    name.trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(name: &str) -> Vec<String> {
        keys_of(name).into_iter().map(String::from_iter).collect()
    }

    #[test]
    fn a_name_is_known_by_what_patients_leave_of_it() {
        for (name, called) in [
            ("二甲双胍缓释片 500 mg", "二甲双胍"),
            ("盐酸二甲双胍片", "二甲双胍"),
            ("metformin xr 500 mg", "metformin"),
            ("维生素b12", "维生素b12"),
            ("二甲双胍(格华止)", "格华止"),
            ("阿托伐他汀钙片20mg", "阿托伐他汀"),
            ("门冬胰岛素", "胰岛素"),
        ] {
            let names = names(name);
            assert!(names.iter().any(|name| name == called), "{name}: {names:?}");
        }
        assert!(!names("维生素b12").contains(&"维生素b".to_owned()));
        assert!(!names("阿莫西林克拉维酸钾").contains(&"阿莫西林".to_owned()));
    }

    #[test]
    fn lists_of_names_are_split() {
        assert_eq!(part_count("二甲双胍、阿司匹林"), 2);
        assert_eq!(part_count("Metformin 500 mg, Aspirin"), 2);
        assert_eq!(part_count("胰岛素(门冬,短效)"), 1);
        assert_eq!(part_count(""), 1);
    }
}
