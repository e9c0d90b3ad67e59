//! Two texts, line by line: what is gone and what is new.

/// One line of what differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// In both.
    Same(&'a str),
    /// In the old text alone.
    Gone(&'a str),
    /// In the new text alone.
    New(&'a str),
    /// So many lines that are in both, and not near to one that is not.
    Skipped(usize),
}

/// Lines that are shown around one that differs.
const AROUND: usize = 2;

/// Texts between whose differing parts no more pairs of lines than these lie are compared line by
/// line; of longer ones the differing part is gone and new as a whole.
const PAIRS_MAX: usize = 1_000_000;

/// What differs; empty if nothing does. How lines end is not looked at.
#[must_use]
pub fn difference<'a>(old: &'a str, new: &'a str) -> Vec<Line<'a>> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let alike = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[alike..], &new[alike..]);
    let behind = old_rest.iter().rev().zip(new_rest.iter().rev());
    let behind = behind.take_while(|(a, b)| a == b).count();
    let (old_part, tail) = old_rest.split_at(old_rest.len() - behind);
    let new_part = &new_rest[..new_rest.len() - behind];
    if old_part.is_empty() && new_part.is_empty() {
        return Vec::new();
    }
    let mut all: Vec<Line<'a>> = old[..alike].iter().map(|line| Line::Same(line)).collect();
    all.extend(part(old_part, new_part));
    all.extend(tail.iter().map(|line| Line::Same(line)));
    near(&all)
}

/// A part that begins and ends differently.
fn part<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Line<'a>> {
    if old.len().saturating_mul(new.len()) > PAIRS_MAX {
        let gone = old.iter().map(|line| Line::Gone(line));
        return gone.chain(new.iter().map(|line| Line::New(line))).collect();
    }
    // common[i][j]: the longest sequence of lines in both behind the i-th and the j-th.
    let width = new.len() + 1;
    let mut common = vec![0_u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i * width + j] = if old[i] == new[j] {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push(Line::Same(old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len()
            || (i < old.len() && common[(i + 1) * width + j] >= common[i * width + j + 1])
        {
            lines.push(Line::Gone(old[i]));
            i += 1;
        } else {
            lines.push(Line::New(new[j]));
            j += 1;
        }
    }
    lines
}

/// Leaves out what is far from any difference.
fn near<'a>(all: &[Line<'a>]) -> Vec<Line<'a>> {
    let differs = |line: &Line<'_>| !matches!(line, Line::Same(_));
    let mut lines = Vec::new();
    let mut skipped = 0;
    for (index, line) in all.iter().enumerate() {
        let (from, until) = (
            index.saturating_sub(AROUND),
            (index + AROUND + 1).min(all.len()),
        );
        if all[from..until].iter().any(differs) {
            if skipped > 0 {
                lines.push(Line::Skipped(std::mem::take(&mut skipped)));
            }
            lines.push(*line);
        } else {
            skipped += 1;
        }
    }
    if skipped > 0 {
        lines.push(Line::Skipped(skipped));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(old: &str, new: &str) -> Vec<String> {
        let lines = difference(old, new).into_iter().map(|line| match line {
            Line::Same(text) => format!(" {text}"),
            Line::Gone(text) => format!("-{text}"),
            Line::New(text) => format!("+{text}"),
            Line::Skipped(count) => format!("@{count}"),
        });
        lines.collect()
    }

    #[test]
    fn what_is_gone_and_new_stands_where_it_is() {
        for (old, new, expected) in [
            ("", "", vec![]),
            ("a\nb\n", "a\nb\n", vec![]),
            ("a\r\nb\r\n", "a\nb", vec![]),
            ("", "a\n", vec!["+a"]),
            ("a\n", "", vec!["-a"]),
            ("a\nb\nc\n", "a\nx\nc\n", vec![" a", "-b", "+x", " c"]),
            (
                "1\n2\n3\n4\n5\n",
                "1\n2\n3\n4\n5\n6\n",
                vec!["@3", " 4", " 5", "+6"],
            ),
            (
                "a\nb\nc\nd\n",
                "b\nc\nx\nd\n",
                vec!["-a", " b", " c", "+x", " d"],
            ),
            (
                "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n",
                "0\n1\nx\n3\n4\n5\n6\n7\n8\ny\n",
                vec![
                    " 0", " 1", "-2", "+x", " 3", " 4", "@2", " 7", " 8", "-9", "+y",
                ],
            ),
        ] {
            assert_eq!(shown(old, new), expected, "{old:?} {new:?}");
        }
    }

    #[test]
    fn texts_too_long_to_compare_are_told_as_a_whole_and_at_once() {
        let long = |letter: &str| format!("{letter}\n").repeat(20_000);
        let lines = difference(&long("a"), &long("b")).len();
        assert_eq!(lines, 40_000);
    }

    proptest! {
        /// Whoever takes the old text and does what the lines say has the new one.
        #[test]
        fn the_lines_lead_from_the_old_text_to_the_new_one(
            old in prop::collection::vec("[abc]", 0..40),
            new in prop::collection::vec("[abc]", 0..40),
        ) {
            let (old_text, new_text) = (old.join("\n"), new.join("\n"));
            let lines = difference(&old_text, &new_text);
            if lines.is_empty() {
                prop_assert_eq!(&old, &new);
                return Ok(());
            }
            let (mut at, mut made) = (0, Vec::new());
            for line in lines {
                match line {
                    Line::Same(text) => {
                        prop_assert_eq!(text, old[at].as_str());
                        made.push(text.to_owned());
                        at += 1;
                    }
                    Line::Gone(text) => {
                        prop_assert_eq!(text, old[at].as_str());
                        at += 1;
                    }
                    Line::New(text) => made.push(text.to_owned()),
                    Line::Skipped(count) => {
                        made.extend_from_slice(&old[at..at + count]);
                        at += count;
                    }
                }
            }
            prop_assert_eq!(at, old.len());
            prop_assert_eq!(made, new);
        }
    }
}
