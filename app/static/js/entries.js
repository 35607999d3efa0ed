// What a form holds, as it would be sent.

/** Its entries without the files that were chosen: those go when it is sent. button: that was pressed. */
export function held(form, button) {
  const data = new FormData(form, button);
  for (const [name, value] of [...data]) if (value instanceof File) data.delete(name);
  return data;
}
