//! The callback address over real sockets: pushed to by the sandbox as the platform pushes, and by
//! others as the platform does not.

mod clock;
mod conversation;
mod daemon;
mod desk;
mod end;
mod forms;
mod hostile;
mod outside;
mod page;
mod pushes;
mod start;
