// What a thread says of itself: can it load an ES module by require()?
export default function runTask(): boolean {
  return (process.features as { require_module?: boolean }).require_module === true;
}
