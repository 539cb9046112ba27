export type CountName = string;
