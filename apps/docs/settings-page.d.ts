/** The page of all settings, from the table that makes the flags. */
export declare const settingsPage: string;
export declare function settingsText(): string;
