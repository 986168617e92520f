/** Code that breaks the rules of the architecture, one sub-package per rule, so that each rule is seen to fail. */
package dev.troupe.samples.violations;
