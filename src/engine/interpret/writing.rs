//! A reply as it is compared: one way of writing for what can be written in several.

use crate::plan::plain;
use std::collections::HashMap;
use std::sync::LazyLock;

/// The characters of a text as they are compared, each with its place in the text as written.
#[derive(Debug)]
pub(super) struct Writing<'a> {
    source: &'a str,
    characters: Vec<char>,
    /// The byte at which each character begins in the source.
    places: Vec<usize>,
}

impl<'a> Writing<'a> {
    /// Folds width, case, traditional characters, circled digits and blanks; drops what cannot
    /// be seen and what only changes a colour.
    pub(super) fn of(source: &'a str) -> Self {
        let mut writing = Self {
            source,
            characters: Vec::new(),
            places: Vec::new(),
        };
        for (place, character) in source.char_indices() {
            for character in plain(character) {
                let Some(character) = fold(character) else {
                    continue;
                };
                let circled = |c: char| matches!(c, '①'..='⑨' | '❶'..='❾');
                if circled(source[place..].chars().next().unwrap_or(' '))
                    && source[..place].chars().next_back().is_some_and(circled)
                {
                    // ①③ are two numbers.
                    writing.characters.push(',');
                    writing.places.push(place);
                }
                let blank = character == ' ';
                if blank && writing.characters.last().is_none_or(|last| *last == ' ') {
                    continue;
                }
                writing.characters.push(character);
                writing.places.push(place);
            }
        }
        while writing.characters.last() == Some(&' ') {
            writing.characters.pop();
            writing.places.pop();
        }
        writing
    }

    /// The characters as they are compared.
    pub(super) fn characters(&self) -> &[char] {
        &self.characters
    }

    /// What was written from one character up to another, without blanks and marks at its ends.
    pub(super) fn written(&self, from: usize, until: usize) -> &'a str {
        let place = |index: usize| self.places.get(index).copied();
        let from = place(from).unwrap_or(self.source.len());
        let until = place(until).unwrap_or(self.source.len());
        self.source
            .get(from..until)
            .unwrap_or_default()
            .trim_matches(|c: char| c.is_whitespace() || is_mark(c))
    }
}

/// The text folded, letters and digits only.
pub(super) fn squeezed(text: &str) -> Vec<char> {
    Writing::of(text)
        .characters
        .into_iter()
        .filter(|c| c.is_alphanumeric())
        .collect()
}

/// Signs that end or part a sentence.
pub(super) fn is_mark(c: char) -> bool {
    c.is_ascii_punctuation() && !matches!(c, '\'' | '#' | '%' | '&' | '+')
        || matches!(
            c,
            '，' | '。'
                | '、'
                | '；'
                | '：'
                | '！'
                | '？'
                | '…'
                | '⋯'
                | '·'
                | '“'
                | '”'
                | '「'
                | '」'
                | '《'
                | '》'
                | '（'
                | '）'
                | '【'
                | '】'
                | '～'
                | '—'
                | '‘'
                | '’'
        )
}

/// Chinese characters, which need no blanks between words.
pub(super) fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Traditional characters of answers, each before its simplified twin.
const TRADITIONAL: &str = "藥药 沒没 個个 點点 鐘钟 後后 過过 還还 會会 時时 間间 體体 壓压 溫温 兩两 幾几 噴喷 貼贴 針针 啟启 開开 訂订 剛刚 現现 這这 \
    裡里 來来 給给 請请 謝谢 醫医 護护 對对 數数 從从 雙双 總总 種种 樣样 嗎吗 麼么 麽么 記记 補补 飯饭 飽饱 餓饿 準准 備备 該该 \
    應应 當当 遲迟 緩缓 頭头 發发 燒烧 嘔呕 瀉泻 鹽盐 顆颗 試试 錯错 誤误 寫写 說说 話话 號号 單单 講讲 問问 題题 喫吃 飲饮 衝冲 \
    塗涂 術术 為为 爺爷 媽妈 兒儿 孫孙 統统 選选 擇择 吶呐 囉啰 嘍喽 罷罢 輕轻 讓让 讚赞 產产 煩烦 陣阵 聽听 氣气 難难 經经 歲岁 \
    別别 嚐尝 強强 帶带 買买 見见 舊旧 邊边 長长 著着 裝装 質质 轉转 較较 隻只 驗验 麵面 誰谁 幫帮 覺觉 錢钱 關关 須须 願愿 飛飞 \
    國国 學学 實实 導导 將将 專专 尋寻 屬属 嚴严 圍围 場场 報报 塊块";

static SIMPLIFIED: LazyLock<HashMap<char, char>> = LazyLock::new(|| {
    TRADITIONAL
        .split(' ')
        .filter_map(|pair| {
            let mut pair = pair.chars();
            Some((pair.next()?, pair.next()?))
        })
        .collect()
});

/// `None` for what does not count.
fn fold(character: char) -> Option<char> {
    Some(match character {
        // Joiners, variation selectors, the frame of keycaps, tones of skin, direction marks.
        '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{20e3}'
        | '\u{feff}'
        | '\u{ad}'
        | '\u{1f3fb}'..='\u{1f3ff}' => return None,
        c if c.is_whitespace() || c.is_control() => ' ',
        '‘' | '’' | '`' | '´' | 'ʼ' => '\'',
        '①'..='⑨' => char::from(b'1' + (character as u32 - '①' as u32) as u8),
        '❶'..='❾' => char::from(b'1' + (character as u32 - '❶' as u32) as u8),
        '℃' | '˚' | 'º' => '°',
        '…' | '⋯' => '.',
        '〇' | '○' => '零',
        c if is_ideograph(c) => SIMPLIFIED.get(&c).copied().unwrap_or(c),
        c => c,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_of_writing_the_same_are_the_same() {
        for (text, folded) in [
            ("  吃  了 ", "吃 了"),
            ("１。", "1."),
            ("1️⃣", "1"),
            ("①", "1"),
            ("①③", "1,3"),
            ("沒吃藥", "没吃药"),
            ("👍🏻", "👍"),
            ("Haven’t", "haven't"),
            ("ＯＫ", "ok"),
            ("", ""),
            ("\u{feff}\n", ""),
        ] {
            let found: String = Writing::of(text).characters().iter().collect();
            assert_eq!(found, folded, "{text}");
        }
    }

    #[test]
    fn what_was_written_keeps_its_case() {
        let writing = Writing::of("3， Feeling Sick!");
        assert_eq!(writing.written(1, 99), "Feeling Sick");
        assert_eq!(writing.written(50, 99), "");
    }
}
