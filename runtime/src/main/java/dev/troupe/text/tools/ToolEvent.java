package dev.troupe.text.tools;

/** A piece of what a model has written, in order. */
public sealed interface ToolEvent {

    /** Text for people. */
    record Content(String text) implements ToolEvent {}

    /**
     * A call begins.
     *
     * @param index of the call, from 0
     */
    record Call(int index, String name) implements ToolEvent {}

    /** A piece of the JSON text of the arguments of the call that has begun last. */
    record Arguments(int index, String text) implements ToolEvent {}
}
