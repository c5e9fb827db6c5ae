// The rules' isAllowed(), for the page: the same look-up in the same data. It decides what is shown; what is allowed the
// rules decide.

/**
 * Whether a permission group allows something.
 *
 * @param permissions what is at /permissions/ROLE, null without a role
 * @param entity "projects", "tasks", "files", "messages", "users", "permissions"
 * @param verb "c", "r", "u", "d"
 */
export function isAllowed(permissions, entity, verb, { isOwn = false, isMember = false } = {}) {
  const granted = permissions?.[entity];
  return (
    granted?.all === true ||
    granted?.any?.[verb] === true ||
    (isOwn && granted?.own?.[verb] === true) ||
    (isMember && granted?.member?.[verb] === true)
  );
}
