//! Reading a condition.

use portreeve_domain::Timestamp;

use super::fact::Kind;
use super::value::Literal;
use super::{Comparison, Condition, Fact, Operator};

/// Bytes of a condition.
const LONGEST: usize = 4096;
/// Parentheses and `not` within each other.
const DEEPEST: usize = 32;
/// Comparisons in one condition, the values after `in` included.
const MOST: usize = 256;

/// A condition that cannot be read: where, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {position}: {problem}")]
pub struct QueryError {
    /// The character at which it goes wrong, from 1.
    pub position: usize,
    /// What was expected, and what was found.
    pub problem: String,
}

const OPERATORS: [(&str, Operator); 8] = [
    ("eq", Operator::Equal),
    ("ne", Operator::NotEqual),
    ("lt", Operator::Less),
    ("le", Operator::LessOrEqual),
    ("gt", Operator::Greater),
    ("ge", Operator::GreaterOrEqual),
    ("contains", Operator::Contains),
    ("starts-with", Operator::StartsWith),
];

const OPERATOR: &str = "`eq`, `ne`, `lt`, `le`, `gt`, `ge`, `contains`, `starts-with`, `in` or \
                        `exists`";

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Quoted(String),
    Open,
    Close,
    Comma,
    End,
}

impl Token {
    fn is_word(&self, word: &str) -> bool {
        matches!(self, Self::Word(found) if found.eq_ignore_ascii_case(word))
    }

    fn describe(&self) -> String {
        match self {
            Self::Word(text) | Self::Quoted(text) => {
                let text: String = text.chars().take(40).collect();
                format!("`{}`", text.escape_debug())
            }
            Self::Open => "`(`".to_owned(),
            Self::Close => "`)`".to_owned(),
            Self::Comma => "`,`".to_owned(),
            Self::End => "the end".to_owned(),
        }
    }
}

/// Reads a whole condition.
pub(super) fn condition(text: &str, now: Timestamp) -> Result<Condition, QueryError> {
    if text.len() > LONGEST {
        return Err(QueryError {
            position: 1,
            problem: format!("expected at most {LONGEST} bytes, found {}", text.len()),
        });
    }
    let mut reader = Reader {
        tokens: tokens(text)?.into_iter(),
        now,
        comparisons: 0,
    };
    let condition = reader.any(0)?;
    match reader.next() {
        (_, Token::End) => Ok(condition),
        (position, found) => Err(expected(position, "`and`, `or` or the end", &found)),
    }
}

fn expected(position: usize, what: &str, found: &Token) -> QueryError {
    QueryError {
        position,
        problem: format!("expected {what}, found {}", found.describe()),
    }
}

/// The words of a text and where each begins.
fn tokens(text: &str) -> Result<Vec<(usize, Token)>, QueryError> {
    let mut tokens = Vec::new();
    let mut characters = text.chars().zip(1..).peekable();
    while let Some((character, position)) = characters.next() {
        let token = match character {
            _ if character.is_whitespace() => continue,
            '(' => Token::Open,
            ')' => Token::Close,
            ',' => Token::Comma,
            '\'' => {
                let mut quoted = String::new();
                loop {
                    match characters.next() {
                        Some(('\'', _)) => match characters.next_if(|(next, _)| *next == '\'') {
                            Some(_) => quoted.push('\''),
                            None => break,
                        },
                        Some((character, _)) => quoted.push(character),
                        None => {
                            return Err(QueryError {
                                position,
                                problem: "the quote that begins here does not end".to_owned(),
                            });
                        }
                    }
                }
                Token::Quoted(quoted)
            }
            _ => {
                let mut word = String::from(character);
                let goes_on = |(next, _): &(char, usize)| {
                    !next.is_whitespace() && !matches!(next, '(' | ')' | ',' | '\'')
                };
                while let Some((next, _)) = characters.next_if(goes_on) {
                    word.push(next);
                }
                Token::Word(word)
            }
        };
        tokens.push((position, token));
    }
    tokens.push((text.chars().count() + 1, Token::End));
    Ok(tokens)
}

struct Reader {
    tokens: std::vec::IntoIter<(usize, Token)>,
    now: Timestamp,
    comparisons: usize,
}

impl Reader {
    fn peek(&self) -> &Token {
        let next = self.tokens.as_slice().first();
        next.map_or(&Token::End, |(_, token)| token)
    }

    fn next(&mut self) -> (usize, Token) {
        self.tokens.next().unwrap_or((0, Token::End))
    }

    /// Takes a word if it is the next one.
    fn takes(&mut self, word: &str) -> bool {
        let is_next = self.peek().is_word(word);
        if is_next {
            self.next();
        }
        is_next
    }

    fn any(&mut self, depth: usize) -> Result<Condition, QueryError> {
        let first = self.all(depth)?;
        let mut parts = vec![first];
        while self.takes("or") {
            parts.push(self.all(depth)?);
        }
        Ok(one_or(parts, Condition::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Condition, QueryError> {
        let first = self.one(depth)?;
        let mut parts = vec![first];
        while self.takes("and") {
            parts.push(self.one(depth)?);
        }
        Ok(one_or(parts, Condition::All))
    }

    fn one(&mut self, depth: usize) -> Result<Condition, QueryError> {
        let (position, token) = self.next();
        if depth > DEEPEST {
            return Err(QueryError {
                position,
                problem: format!("expected at most {DEEPEST} levels of parentheses and `not`"),
            });
        }
        match token {
            Token::Word(word) if word.eq_ignore_ascii_case("not") => {
                Ok(Condition::Not(Box::new(self.one(depth + 1)?)))
            }
            Token::Open => {
                let inner = self.any(depth + 1)?;
                match self.next() {
                    (_, Token::Close) => Ok(inner),
                    (position, found) => Err(expected(position, "`and`, `or` or `)`", &found)),
                }
            }
            Token::Word(name) => {
                let fact = name.parse::<Fact>().map_err(|error| QueryError {
                    position,
                    problem: error.to_string(),
                })?;
                self.about(fact)
            }
            found => Err(expected(position, "a fact, `not` or `(`", &found)),
        }
    }

    /// What follows a fact.
    fn about(&mut self, fact: Fact) -> Result<Condition, QueryError> {
        let (position, token) = self.next();
        if token.is_word("exists") {
            return Ok(Condition::Exists(fact));
        }
        if token.is_word("in") {
            return self.one_of(fact);
        }
        let operator = OPERATORS.into_iter().find(|(word, _)| token.is_word(word));
        let Some((word, operator)) = operator else {
            return Err(expected(position, OPERATOR, &token));
        };
        if let Some(expected) = refused(fact.kind(), operator) {
            return Err(QueryError {
                position,
                problem: format!("expected {expected} after `{fact}`, found `{word}`"),
            });
        }
        let value = self.value(&fact, operator)?;
        Ok(Condition::Compare(Comparison {
            fact,
            operator,
            values: vec![value],
        }))
    }

    fn one_of(&mut self, fact: Fact) -> Result<Condition, QueryError> {
        match self.next() {
            (_, Token::Open) => {}
            (position, found) => return Err(expected(position, "`(`", &found)),
        }
        let mut values = Vec::new();
        loop {
            values.push(self.value(&fact, Operator::Equal)?);
            match self.next() {
                (_, Token::Comma) => {}
                (_, Token::Close) => break,
                (position, found) => return Err(expected(position, "`,` or `)`", &found)),
            }
        }
        Ok(Condition::Compare(Comparison {
            fact,
            operator: Operator::Equal,
            values,
        }))
    }

    fn value(&mut self, fact: &Fact, operator: Operator) -> Result<Literal, QueryError> {
        let (position, token) = self.next();
        let fails = |what: &str| Err(expected(position, what, &token));
        self.comparisons += 1;
        if self.comparisons > MOST {
            let problem = format!("expected at most {MOST} comparisons");
            return Err(QueryError { position, problem });
        }
        let (Token::Word(text) | Token::Quoted(text)) = &token else {
            return fails("a value");
        };
        let literal = Literal::new(text, self.now);
        match fact.kind() {
            Kind::Boolean if literal.boolean().is_none() => fails("`yes` or `no`"),
            Kind::Moment if literal.moment().is_none() => fails(
                "a time such as `2026-11-01T08:00:00Z`, a date such as `2026-11-01`, or how \
                 long ago such as `-30d`",
            ),
            Kind::Words(words) if operator == Operator::Equal || operator == Operator::NotEqual => {
                let words = words.list();
                if words.iter().any(|word| word.eq_ignore_ascii_case(text)) {
                    return Ok(literal);
                }
                let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                fails(&format!("one of {}", words.join(", ")))
            }
            Kind::Mac => {
                let is_whole = matches!(operator, Operator::Equal | Operator::NotEqual);
                if is_whole && !Literal::is_address(text) {
                    return fails("a MAC address");
                }
                Ok(Literal::of_address(text, self.now))
            }
            _ => Ok(literal),
        }
    }
}

/// What is expected instead of an operator that makes no sense.
const fn refused(kind: Kind, operator: Operator) -> Option<&'static str> {
    let is_equality = matches!(operator, Operator::Equal | Operator::NotEqual);
    let is_order = matches!(
        operator,
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual
    );
    match kind {
        Kind::Boolean | Kind::Words(_) if !is_equality => Some("`eq`, `ne`, `in` or `exists`"),
        Kind::Moment if !is_equality && !is_order => {
            Some("`eq`, `ne`, `lt`, `le`, `gt`, `ge`, `in` or `exists`")
        }
        _ => None,
    }
}

fn one_or(mut parts: Vec<Condition>, join: fn(Vec<Condition>) -> Condition) -> Condition {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            join(parts)
        }
    }
}
