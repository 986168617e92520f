/** Without the mark. */
package dev.troupe.samples.violations.unmarked.partly;
