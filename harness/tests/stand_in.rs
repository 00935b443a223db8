//! A handset made of programs that nobody here wrote: busybox udhcpc, curl and sipp, driven by a
//! script in a namespace of its own, powered by a switch that net-snmp's agent plays.

#[path = "stand_in/boots.rs"]
mod boots;
#[path = "stand_in/certified.rs"]
mod certified;
#[path = "stand_in/lab_file.rs"]
mod lab_file;
#[path = "stand_in/place.rs"]
mod place;
#[expect(dead_code, reason = "each target runs its own programs")]
#[path = "support/program.rs"]
mod program;
#[expect(dead_code, reason = "each target has its own segment")]
#[path = "segment/space.rs"]
mod space;
#[path = "support/tool.rs"]
mod tool;
