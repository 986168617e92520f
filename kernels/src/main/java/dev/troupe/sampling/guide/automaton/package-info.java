/** Languages of bytes: expressions, and the automata with calls that they are compiled to. */
@NullMarked
package dev.troupe.sampling.guide.automaton;

import org.jspecify.annotations.NullMarked;
