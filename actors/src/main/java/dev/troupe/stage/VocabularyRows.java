package dev.troupe.stage;

/**
 * The vocabulary rows that a rank of the last stage computes logits for.
 *
 * @param first id of the first one
 * @param count how many, maybe none
 */
record VocabularyRows(int first, int count) {}
