mod hub;
mod script;
