mod hub;
mod lazy;
mod script;
