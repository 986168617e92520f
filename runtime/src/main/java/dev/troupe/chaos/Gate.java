package dev.troupe.chaos;

/** Open or shut; whoever wants to pass waits while it is shut. */
final class Gate {
    private boolean shut;

    synchronized void shut() {
        shut = true;
    }

    synchronized void open() {
        shut = false;
        notifyAll();
    }

    synchronized boolean isShut() {
        return shut;
    }

    /** Returns when it is open. */
    synchronized void pass() throws InterruptedException {
        while (shut) {
            wait();
        }
    }
}
