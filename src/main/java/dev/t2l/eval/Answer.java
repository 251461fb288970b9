package dev.t2l.eval;

/**
 * What the model said.
 *
 * @param tokens generated, its end not counted
 * @param ended  whether it ended by itself
 */
record Answer(String text, int tokens, boolean ended) {
}
