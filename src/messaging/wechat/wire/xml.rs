//! The XML of callbacks: what the platform pushes, and what is answered.
//!
//! A small, closed part of XML: elements with texts or elements in them. Document types and
//! entities other than XML's own five are refused, so that no text grows or reaches outside;
//! attributes, comments and processing instructions mean nothing here. The order of elements is
//! free, and a text may stand in CDATA or plainly.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, Event};
use std::fmt::Write as _;

/// Elements inside elements; the platform has four levels.
const DEPTH_MAX: usize = 8;
/// Elements in all; the platform sends some dozens.
const ELEMENTS_MAX: usize = 1024;

/// Why a text is not taken. Holds nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum XmlFault {
    /// The bytes are no UTF-8.
    #[error("the XML is not UTF-8")]
    NotUtf8,
    /// It is not well-formed: an end is missing, or something stands where nothing may.
    #[error("the XML is not well-formed")]
    Malformed,
    /// It has a document type, or an entity that is none of XML's own.
    #[error("the XML has a document type or an entity of its own")]
    Entity,
    /// Too many elements, or too deep.
    #[error("the XML has too many elements, or too deep")]
    TooLarge,
    /// The outermost element is not `xml`.
    #[error("the outermost element is not `xml`")]
    Root,
    /// An element that may be there once is there twice.
    #[error("an element is repeated")]
    Repeated,
}

/// An element: a text, or elements. `Debug` is not derived: it is medical data.
#[derive(Default)]
pub struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    /// Reads a whole text whose outermost element is `xml`.
    ///
    /// # Errors
    /// See [`XmlFault`].
    pub fn read(body: &[u8]) -> Result<Self, XmlFault> {
        let body = std::str::from_utf8(body).map_err(|_| XmlFault::NotUtf8)?;
        let root = Builder::default().build(body)?;
        if root.name == "xml" {
            Ok(root)
        } else {
            Err(XmlFault::Root)
        }
    }

    /// The element's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The element's own text, without the white space around it that stands outside CDATA.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The elements in it.
    #[must_use]
    pub fn children(&self) -> &[Element] {
        &self.children
    }

    /// The one element of this name in it.
    ///
    /// # Errors
    /// [`XmlFault::Repeated`]: which of several is meant, nobody knows.
    pub fn child(&self, name: &str) -> Result<Option<&Element>, XmlFault> {
        let mut found = self.children.iter().filter(|child| child.name == name);
        let first = found.next();
        if found.next().is_some() {
            return Err(XmlFault::Repeated);
        }
        Ok(first)
    }

    /// The text of the one element of this name in it; `None` where there is none or it is empty.
    ///
    /// # Errors
    /// [`XmlFault::Repeated`]
    pub fn text_of(&self, name: &str) -> Result<Option<&str>, XmlFault> {
        let child = self.child(name)?;
        Ok(child
            .map(|child| child.text.as_str())
            .filter(|text| !text.is_empty()))
    }
}

/// The elements that are open while a text is read.
#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Element>,
    elements: usize,
}

/// An element whose end has not come.
#[derive(Default)]
struct Open {
    element: Element,
    /// Where in the text CDATA stood: white space there is meant.
    kept: Option<(usize, usize)>,
}

impl Builder {
    fn build(mut self, body: &str) -> Result<Element, XmlFault> {
        let mut reader = Reader::from_str(body.trim_start_matches('\u{feff}'));
        reader.config_mut().check_comments = true;
        loop {
            match reader.read_event().map_err(|_| XmlFault::Malformed)? {
                Event::Start(start) => self.open(start.name().as_ref())?,
                Event::Empty(start) => {
                    self.open(start.name().as_ref())?;
                    self.close()?;
                }
                // The reader has seen that the names agree.
                Event::End(_) => self.close()?,
                Event::Text(text) => self.add(&text, false)?,
                Event::CData(text) => self.add(&text, true)?,
                Event::GeneralRef(reference) => self.refer(&reference)?,
                Event::DocType(_) => return Err(XmlFault::Entity),
                Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
                Event::Eof if self.open.is_empty() => {
                    return self.root.ok_or(XmlFault::Malformed);
                }
                Event::Eof => return Err(XmlFault::Malformed),
            }
        }
    }

    fn open(&mut self, name: &str) -> Result<(), XmlFault> {
        if self.open.is_empty() && self.root.is_some() {
            return Err(XmlFault::Malformed);
        }
        self.elements += 1;
        if self.open.len() == DEPTH_MAX || self.elements > ELEMENTS_MAX {
            return Err(XmlFault::TooLarge);
        }
        let mut open = Open::default();
        name.clone_into(&mut open.element.name);
        self.open.push(open);
        Ok(())
    }

    fn close(&mut self) -> Result<(), XmlFault> {
        let Open { mut element, kept } = self.open.pop().ok_or(XmlFault::Malformed)?;
        let text = std::mem::take(&mut element.text);
        let (start, end) = kept.unwrap_or_else(|| {
            let rest = text.trim_start().len();
            (text.len() - rest, text.len() - rest)
        });
        let end = end + text[end..].trim_end().len();
        let start = start - text[..start].trim_start().len();
        text[start..end].clone_into(&mut element.text);
        match self.open.last_mut() {
            Some(parent) => parent.element.children.push(element),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn add(&mut self, text: &str, is_kept: bool) -> Result<(), XmlFault> {
        let Some(open) = self.open.last_mut() else {
            return if !is_kept && text.trim().is_empty() {
                Ok(())
            } else {
                Err(XmlFault::Malformed)
            };
        };
        let start = open.element.text.len();
        open.element.text.push_str(text);
        if is_kept {
            let first = open.kept.map_or(start, |(first, _)| first);
            open.kept = Some((first, open.element.text.len()));
        }
        Ok(())
    }

    fn refer(&mut self, reference: &BytesRef<'_>) -> Result<(), XmlFault> {
        let character = reference.resolve_char_ref().map_err(|_| XmlFault::Entity)?;
        let mut buffer = [0; 4];
        let text = match character {
            Some(character) => &*character.encode_utf8(&mut buffer),
            None => resolve_predefined_entity(reference).ok_or(XmlFault::Entity)?,
        };
        // What is written so is meant, white space too.
        self.add(text, true)
    }
}

/// A text being written: its outermost element is `xml`, its texts stand in CDATA.
pub struct Document(String);

impl Default for Document {
    fn default() -> Self {
        Self("<xml>".to_owned())
    }
}

impl Document {
    /// Adds an element with a text. Characters that XML cannot hold are left out.
    #[must_use]
    pub fn text(mut self, name: &str, text: &str) -> Self {
        // Writing to a String cannot fail, here and below.
        let _ = write!(self.0, "<{name}><![CDATA[");
        // The end of CDATA inside a text is split over two sections.
        let mut last = ['\0'; 2];
        for character in text.chars().filter(|character| is_character(*character)) {
            if character == '>' && last == [']', ']'] {
                self.0.push_str("]]><![CDATA[");
            }
            self.0.push(character);
            last = [last[1], character];
        }
        let _ = write!(self.0, "]]></{name}>");
        self
    }

    /// Adds an element with a number.
    #[must_use]
    pub fn number(mut self, name: &str, number: i64) -> Self {
        let _ = write!(self.0, "<{name}>{number}</{name}>");
        self
    }

    /// The whole text.
    #[must_use]
    pub fn finish(self) -> String {
        self.0 + "</xml>"
    }
}

/// Whether XML 1.0 can hold a character.
fn is_character(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Element, XmlFault> {
        Element::read(text.as_bytes())
    }

    #[track_caller]
    fn content(text: &str) -> String {
        let root = read(&format!("<xml><a>{text}</a></xml>"));
        let root = root.unwrap_or_else(|fault| panic!("{text}: {fault}"));
        let child = root.child("a").expect("once").expect("there");
        child.text().to_owned()
    }

    #[test]
    fn a_text_stands_in_cdata_or_plainly_and_white_space_outside_cdata_is_nothing() {
        for (text, meant) in [
            ("", ""),
            ("  \n ", ""),
            (" 1 ", "1"),
            ("\n one two\t", "one two"),
            ("<![CDATA[1]]>", "1"),
            ("\n  <![CDATA[ 1 ]]>\n  ", " 1 "),
            ("<![CDATA[]]>", ""),
            (" <![CDATA[]]> ", ""),
            ("<![CDATA[a]]]]><![CDATA[>b]]>", "a]]>b"),
            (" <![CDATA[ a]]> b <![CDATA[c ]]> ", " a b c "),
            ("a &lt; b &amp;&#20013;&#x4e2d;", "a < b &\u{4e2d}\u{4e2d}"),
            ("&#32;a", " a"),
            ("a<!-- not this -->b", "ab"),
            ("a<?nor this?>b", "ab"),
            ("<![CDATA[<b>&lt;</b>]]>", "<b>&lt;</b>"),
        ] {
            assert_eq!(content(text), meant, "{text}");
        }
    }

    #[test]
    fn what_is_no_small_and_plain_document_is_refused() {
        let deep = format!("<xml>{}{}</xml>", "<a>".repeat(8), "</a>".repeat(8));
        let wide = format!("<xml>{}</xml>", "<a/>".repeat(1024));
        let bomb = "<!DOCTYPE xml [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><xml><a>&b;</a></xml>";
        let outside =
            "<!DOCTYPE xml [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><xml><a>&a;</a></xml>";
        for (text, fault) in [
            ("", XmlFault::Malformed),
            ("   ", XmlFault::Malformed),
            ("words", XmlFault::Malformed),
            ("{\"ToUserName\":\"x\"}", XmlFault::Malformed),
            ("<xml>", XmlFault::Malformed),
            ("<xml><a></xml>", XmlFault::Malformed),
            ("<xml></a></xml>", XmlFault::Malformed),
            ("<xml/><xml/>", XmlFault::Malformed),
            ("<xml/>words", XmlFault::Malformed),
            ("<![CDATA[ ]]><xml/>", XmlFault::Malformed),
            ("<xml><a><![CDATA[b</a></xml>", XmlFault::Malformed),
            ("<xml><a b", XmlFault::Malformed),
            ("<html/>", XmlFault::Root),
            ("<XML/>", XmlFault::Root),
            ("<xml><a>&b;</a></xml>", XmlFault::Entity),
            ("<xml><a>&#0;</a></xml>", XmlFault::Entity),
            ("<xml><a>&#xD800;</a></xml>", XmlFault::Entity),
            ("<!DOCTYPE xml><xml/>", XmlFault::Entity),
            (bomb, XmlFault::Entity),
            (outside, XmlFault::Entity),
            (&deep, XmlFault::TooLarge),
            (&wide, XmlFault::TooLarge),
        ] {
            assert_eq!(read(text).err(), Some(fault), "{text}");
        }
        assert_eq!(
            Element::read(b"<xml>\xff</xml>").err(),
            Some(XmlFault::NotUtf8)
        );
        assert_eq!(
            Element::read(b"\xff\xfe<\0x\0").err(),
            Some(XmlFault::NotUtf8)
        );
    }

    #[test]
    fn order_and_unknown_elements_and_what_stands_around_mean_nothing() {
        let root = read(
            "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- x -->\n<xml kind='odd'>\n\
             <b>2</b> <New><Deep><er>1</er></Deep></New><a c=\"d\">1</a>\n</xml>\n",
        );
        let root = root.unwrap_or_else(|fault| panic!("{fault}"));
        assert_eq!(root.text_of("a"), Ok(Some("1")));
        assert_eq!(root.text_of("b"), Ok(Some("2")));
        assert_eq!(root.text_of("c"), Ok(None));
        let new = root.child("New").expect("once").expect("there");
        assert_eq!(new.children()[0].text_of("er"), Ok(Some("1")));
    }

    #[test]
    fn an_element_that_is_there_twice_is_asked_for_in_vain() {
        let root = read("<xml><a>1</a><a>2</a><b><a>3</a></b></xml>");
        let root = root.unwrap_or_else(|fault| panic!("{fault}"));
        assert_eq!(root.text_of("a"), Err(XmlFault::Repeated));
        assert_eq!(root.children().len(), 3);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text in "(\\PC|]|>|<|&|\n){0,60}", number: i64) {
            let written = Document::default().text("a", &text).number("b", number).finish();
            let root = read(&written).map_err(|fault| TestCaseError::fail(fault.to_string()))?;
            let child = root.child("a").expect("once").expect("there");
            let kept: String = text.chars().filter(|c| is_character(*c)).collect();
            prop_assert_eq!(child.text(), kept);
            let number = number.to_string();
            prop_assert_eq!(root.text_of("b"), Ok(Some(number.as_str())));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Element::read(&bytes);
        }

        #[test]
        fn no_pieces_make_it_panic(pieces in prop::collection::vec(prop::sample::select(vec![
            "<xml>", "</xml>", "<a>", "</a>", "<a/>", "<![CDATA[", "]]>", "]]", ">", "&", ";", "&#x",
            "lt", "<!--", "-->", "<?", "?>", "<!DOCTYPE", "[", "\u{4e2d}", " ", "\"", "=",
        ]), 0..40)) {
            let _ = Element::read(pieces.concat().as_bytes());
        }
    }
}
