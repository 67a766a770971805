//! What a queue does, rule by rule.
