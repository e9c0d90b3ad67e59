//! Findings for the person who wrote the text: where, what is wrong, what would be right.
