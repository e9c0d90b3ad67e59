//! Bytes as a row of choices.

/// Takes choices from bytes; when they are used up, each choice is the first.
pub struct Choices<'b> {
    bytes: &'b [u8],
}

impl<'b> Choices<'b> {
    /// All of the bytes.
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { bytes }
    }

    fn byte(&mut self) -> u8 {
        match self.bytes.split_first() {
            Some((first, rest)) => {
                self.bytes = rest;
                *first
            }
            None => 0,
        }
    }

    /// A number below `end`, which is at most 65,536 and not 0.
    pub fn below(&mut self, end: usize) -> usize {
        let byte = usize::from(self.byte());
        if end <= 256 {
            return byte % end;
        }
        (byte << 8 | usize::from(self.byte())) % end
    }

    /// True in so many of 16.
    pub fn chance(&mut self, of_sixteen: usize) -> bool {
        self.below(16) >= 16 - of_sixteen
    }

    /// One of these.
    pub fn pick<'t, T: ?Sized>(&mut self, of: &[&'t T]) -> &'t T {
        of[self.below(of.len())]
    }

    /// What is left.
    pub fn rest(&self) -> &'b [u8] {
        self.bytes
    }
}
