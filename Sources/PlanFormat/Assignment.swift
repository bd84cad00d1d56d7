/// A scheme for every sublayer of a layout, in its order: what a measurement is a function of.
package typealias Assignment = [Scheme]
