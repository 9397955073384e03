//! What a state, a timer, a gap or a finding means, in words.
