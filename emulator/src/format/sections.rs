//! The sections family: settings sections, references and operations (AUE-47 … AUE-88).
