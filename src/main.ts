// The composition root.
console.log("pinion");
