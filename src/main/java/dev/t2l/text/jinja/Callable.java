package dev.t2l.text.jinja;

/** A function, method or macro. */
interface Callable {
    Object call(CallArguments arguments);
}
