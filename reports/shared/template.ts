import Mustache from 'mustache';
import { escapeHtml, visible, visibleBlock } from './visible.ts';

/** Markup that was rendered here. Nothing else may enter a page unescaped. */
export class Rendered {
  readonly html: string;

  constructor(html: string) {
    this.html = html;
  }
}

/** A block of foreign text for a `<pre>`: line breaks stay, everything else is escaped, cut after `limit` UTF-16 units. */
export function block(text: string, limit?: number): Rendered {
  return new Rendered(escapeHtml(visibleBlock(text, limit)));
}

/**
 * A name is looked up in the innermost object alone: a name that it does not own is an error, not nothing, and never
 * silently the namesake of an outer section.
 */
class StrictContext extends Mustache.Context {
  override push(view: unknown): Mustache.Context {
    return new StrictContext(view, this);
  }

  override lookup(name: string): unknown {
    if (name === '.') return this.view;
    const view: unknown = this.view;
    if (typeof view !== 'object' || view === null || Array.isArray(view) || view instanceof Rendered) {
      if (this.parent === undefined) throw new Error(`{{${name}}} has no view to be looked up in`);
      return this.parent.lookup(name);
    }
    const value: unknown = Object.hasOwn(view, name) ? (view as Record<string, unknown>)[name] : undefined;
    if (value === undefined)
      throw new Error(`The template names {{${name}}}, which its view lacks (it has ${Object.keys(view).join(', ')})`);
    return value;
  }
}

class StrictWriter extends Mustache.Writer {
  override escapedValue(token: string[], context: Mustache.Context): string {
    const value: unknown = context.lookup(token[1] ?? '');
    if (typeof value !== 'string' && typeof value !== 'number')
      throw new Error(`{{${token[1] ?? ''}}} is neither text nor a number`);
    return escapeHtml(visible(String(value)));
  }

  override unescapedValue(token: string[], context: Mustache.Context): string {
    const value: unknown = context.lookup(token[1] ?? '');
    if (!(value instanceof Rendered)) throw new Error(`{{{${token[1] ?? ''}}}} is not markup that was rendered here`);
    return value.html;
  }
}

/**
 * mustache that fails instead of guessing. `{{x}}` takes text or a number, shows what acts (see {@link visible}) and
 * escapes it; `{{{x}}}` takes {@link Rendered} only; a missing name and an unknown partial throw.
 */
export function renderTemplate(templates: ReadonlyMap<string, string>, name: string, view: object): string {
  const text = (wanted: string): string => {
    const found = templates.get(wanted);
    if (found === undefined) throw new Error(`No template is named ${wanted}`);
    return found;
  };
  return new StrictWriter().render(text(name), new StrictContext(view), text);
}
