export { LoginRefused } from '../../../shared/refusals.ts';
