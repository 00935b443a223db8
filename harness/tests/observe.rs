//! Captures read into records: what virtual phones did, written as a capture and read back, is the
//! same messages and the same verdicts.

#[path = "observe/fits.rs"]
mod fits;
#[path = "observe/hostile.rs"]
mod hostile;
#[path = "observe/judged.rs"]
mod judged;
#[path = "observe/learned.rs"]
mod learned;
#[path = "observe/round.rs"]
mod round;
#[path = "observe/verdicts.rs"]
mod verdicts;
